-- KEYS: consumers   ARGV: consumer, lease (ms)
-- Returns 1 if the lease was renewed, 0 if the consumer was recovered.
local deadline = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or -1)
if deadline < 0 then
    return 0
end
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2], ARGV[1])
return 1
