-- Matrix product on tables of tables of float.

local function build(n, seed)
  local out = {}
  local x = seed
  for i = 1, n do
    local row = {}
    for j = 1, n do
      x = x * 3.9 * (1.0 - x)
      row[j] = x
    end
    out[i] = row
  end
  return out
end

local function bench(n)
  local a, b = build(n, 0.25), build(n, 0.75)
  local check = 0.0
  for i = 1, n do
    local row = a[i]
    for j = 1, n do
      local s = 0.0
      for k = 1, n do
        s = s + row[k] * b[k][j]
      end
      check = check * 0.5 + s
    end
  end
  return check
end

return bench
