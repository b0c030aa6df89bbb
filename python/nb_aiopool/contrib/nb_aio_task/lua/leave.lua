-- Hands back all that a consumer holds, and ends its lease.
-- KEYS: list, inflight, wait, state, consumers   ARGV: consumer, '1' if a blocking call of it may still be answered
local list, inflight, wait, state, consumers = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local deadline = deadline_of(consumers, ARGV[1])
if not deadline then
    return
end
redis.call('ZADD', consumers, deadline, ARGV[1]) -- refused when Redis is out of memory, before anything has changed
give_back_waited(wait, list)
local numbers = numbers_in(inflight)
for i = #numbers, 1, -1 do
    redis.call('LPUSH', list, redis.call('HGET', inflight, numbers[i]))
end
redis.call('DEL', inflight)
redis.call('DEL', state)
if ARGV[2] == '' then
    redis.call('ZREM', consumers, ARGV[1])
else
    -- What may still come is recovered, as from one that was condemned: nobody has begun it.
    local time = redis.call('TIME')
    redis.call('ZADD', consumers, -(time[1] * 1000 + math.floor(time[2] / 1000)), ARGV[1])
end
