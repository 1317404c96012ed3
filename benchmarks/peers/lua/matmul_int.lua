-- Matrix product on tables of tables of integers.

local function build(n, seed)
  local out = {}
  local x = seed
  for i = 1, n do
    local row = {}
    for j = 1, n do
      x = (x * 137 + 29) % 1009
      row[j] = x
    end
    out[i] = row
  end
  return out
end

local function bench(n)
  local a, b = build(n, 1), build(n, 2)
  local check = 0
  for i = 1, n do
    local row = a[i]
    for j = 1, n do
      local s = 0
      for k = 1, n do
        s = s + row[k] * b[k][j]
      end
      check = (check * 3 + s) % 1000000007
    end
  end
  return check
end

return bench
