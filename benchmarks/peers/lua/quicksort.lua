-- Own quicksort (Hoare partition) on a pseudo-random table; positions count from 1.

local floor = math.floor

local function quicksort(a, lo, hi)
  local i, j = lo, hi
  local pivot = a[floor((lo + hi - 2) / 2) + 1]
  while i <= j do
    while a[i] < pivot do
      i = i + 1
    end
    while a[j] > pivot do
      j = j - 1
    end
    if i <= j then
      a[i], a[j] = a[j], a[i]
      i = i + 1
      j = j - 1
    end
  end
  if lo < j then
    quicksort(a, lo, j)
  end
  if i < hi then
    quicksort(a, i, hi)
  end
end

-- x * 1103515245 + 12345 modulo 2^31, in steps that a double holds exactly (all that LuaJIT has).
local function next_number(x)
  local low = x % 65536
  local high = (x - low) / 65536
  return floor((high * 1103515245 % 32768 * 65536 + low * 1103515245 + 12345) % 2147483648)
end

local function bench(n)
  local a = {}
  local x = 12345
  for i = 1, n do
    x = next_number(x)
    a[i] = x
  end
  quicksort(a, 1, n)
  local check = 0
  for k = 1, n, 97 do
    if k > 1 then
      assert(a[k - 1] <= a[k], "sorted")
    end
    check = (check * 31 + a[k]) % 1000000007
  end
  return check
end

return bench
