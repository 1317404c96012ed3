-- Logistic map: a float orbit of which each step depends on the last.

local function bench(n)
  local x, total = 0.3, 0.0
  for _ = 1, n do
    x = 3.9 * x * (1.0 - x)
    total = total + x
  end
  return total
end

return bench
