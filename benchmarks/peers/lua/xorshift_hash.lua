-- xorshift generator and multiplicative mixing in 64-bit unsigned integers.

-- Lua has them (as wrapping integers), LuaJIT has its ffi types; neither can parse the other's notation.
local source = jit and [[
  local bit = require("bit")
  local bxor, bor, shl, shr = bit.bxor, bit.bor, bit.lshift, bit.rshift
  return function(n)
    local x, h = 88172645463325252ULL, 0ULL
    for _ = 1, n do
      x = bxor(x, shl(x, 13))
      x = bxor(x, shr(x, 7))
      x = bxor(x, shl(x, 17))
      h = bxor(h, shr(x, 32) * 2654435761ULL)
      h = bor(shl(h, 5), shr(h, 59))
    end
    return h
  end
]] or [[
  return function(n)
    local x, h = 88172645463325252, 0
    for _ = 1, n do
      x = x ~ x << 13
      x = x ~ x >> 7
      x = x ~ x << 17
      h = h ~ (x >> 32) * 2654435761
      h = h << 5 | h >> 59
    end
    local tens = (h >> 1) // 5 -- as text, because Lua would print the bits as a signed integer
    return (tens == 0 and "" or tens) .. h - tens * 10
  end
]]

local bench = assert(load(source))()

return bench
