-- KEYS: list, consumers, delayed, dead   ARGV: prefix
-- Returns { queued, running, delayed, dead }.
local running = 0
for _, consumer in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    running = running + redis.call('HLEN', ARGV[1] .. 'inflight:' .. consumer)
    running = running + redis.call('LLEN', ARGV[1] .. 'wait:' .. consumer)
end
return { redis.call('LLEN', KEYS[1]), running, redis.call('ZCARD', KEYS[3]), redis.call('HLEN', KEYS[4]) }
