-- Sieve of Eratosthenes on a table of booleans.

local function bench(n)
  local flags = {}
  for i = 1, n do
    flags[i] = true
  end
  local count = 0
  for p = 2, n do
    if flags[p] then
      count = count + 1
      for m = p * p, n, p do
        flags[m] = false
      end
    end
  end
  return count
end

return bench
