-- A counter closure called in a loop; its captured state is written back.

local function make(count)
  return function(by)
    count = count + by
    return count
  end
end

local function bench(n)
  local bump = make(1)
  local last = 0
  for i = 0, n - 1 do
    last = bump(i % 3)
  end
  return last
end

return bench
