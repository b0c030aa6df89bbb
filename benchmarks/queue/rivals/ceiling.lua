-- Acknowledge what has ended, take up to so many from the list, and note them as in flight, in the order of the list.
-- KEYS: the list, the in-flight hash, the counter of tokens. ARGV: how many to take, then the tokens that have ended.
if #ARGV > 1 then
    redis.call('HDEL', KEYS[2], unpack(ARGV, 2))
end
local payloads = redis.call('LPOP', KEYS[1], ARGV[1])
if not payloads or #payloads == 0 then
    return {}
end
local last = redis.call('INCRBY', KEYS[3], #payloads)
local noted = {}
for index, payload in ipairs(payloads) do
    noted[#noted + 1] = last - #payloads + index
    noted[#noted + 1] = payload
end
redis.call('HSET', KEYS[2], unpack(noted))
return noted
