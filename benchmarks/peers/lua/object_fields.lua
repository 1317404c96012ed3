-- Reading and writing the fields of a table in a loop.

local function bench(n)
  local p = { x = 10, y = 20, vx = 3, vy = -2, bounces = 0 }
  for _ = 1, n do
    p.x = p.x + p.vx
    p.y = p.y + p.vy
    if p.x > 1000 then
      p.vx = -p.vx
      p.bounces = p.bounces + 1
    end
    if p.x < 0 then
      p.vx = -p.vx
      p.bounces = p.bounces + 1
    end
    if p.y > 700 then
      p.vy = -p.vy
      p.bounces = p.bounces + 1
    end
    if p.y < 0 then
      p.vy = -p.vy
      p.bounces = p.bounces + 1
    end
  end
  return p.bounces * 1000000 + p.x * 1000 + p.y
end

return bench
