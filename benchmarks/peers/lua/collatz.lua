-- Longest Collatz chain below n.

local floor = math.floor

local function bench(n)
  local best, start = 0, 1
  for i = 1, n - 1 do
    local x, steps = i, 0
    while x > 1 do
      if x % 2 == 0 then
        x = floor(x / 2)
      else
        x = 3 * x + 1
      end
      steps = steps + 1
    end
    if steps > best then
      best, start = steps, i
    end
  end
  return best * 1000000 + start
end

return bench
