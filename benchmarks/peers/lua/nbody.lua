-- Gravity between five bodies, positions and velocities in float tables.

local function inv_sqrt(d)
  local x = d
  if d < 1.0 then
    x = 1.0
  end
  for _ = 1, 8 do
    x = 0.5 * (x + d / x)
  end
  return 1.0 / x
end

local function bench(steps)
  local px = { 0.0, 4.84, 8.34, 12.89, 15.37 }
  local py = { 0.0, -1.16, 4.12, -15.11, -25.91 }
  local vx = { 0.0, 0.6, -1.01, 1.08, 0.97 }
  local vy = { 0.0, 2.81, 1.82, 0.86, 0.59 }
  local m = { 39.47, 0.037, 0.011, 0.0017, 0.002 }
  local dt = 0.01
  for _ = 1, steps do
    for i = 1, 5 do
      for j = i + 1, 5 do
        local dx, dy = px[i] - px[j], py[i] - py[j]
        local r = inv_sqrt(dx * dx + dy * dy + 0.01)
        local mag = dt * r * r * r
        vx[i] = vx[i] - dx * m[j] * mag
        vy[i] = vy[i] - dy * m[j] * mag
        vx[j] = vx[j] + dx * m[i] * mag
        vy[j] = vy[j] + dy * m[i] * mag
      end
    end
    for i = 1, 5 do
      px[i] = px[i] + dt * vx[i]
      py[i] = py[i] + dt * vy[i]
    end
  end
  local energy = 0.0
  for i = 1, 5 do
    energy = energy + 0.5 * m[i] * (vx[i] * vx[i] + vy[i] * vy[i])
  end
  return energy
end

return bench
