-- Hands back, in order and to the front, a part of what a consumer held whose lease has run out.
-- KEYS: list, inflight, wait, state, consumers
-- ARGV: consumer, the deadline that its lease had, max_deliveries, how many to hand back at most,
--       how long it stays condemned (ms)
-- Returns how many are left, -1 if the lease has changed or gone.
local list, inflight, wait, state, consumers = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local consumer, expected, max_deliveries, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local deadline = tonumber(redis.call('ZSCORE', consumers, consumer) or expected + 1)
if deadline ~= expected and (deadline >= 0 or expected >= 0) then
    return -1
end
-- Condemned, which is a negative time: from now on the consumer is refused everything, and whoever comes by may
-- finish this. It stays condemned for a while: a blocking call that it left open may still be answered.
local condemned = deadline < 0 and -deadline or now
redis.call('ZADD', consumers, -condemned, consumer)
if deadline >= 0 then
    -- It may have begun at once what a wait has brought, before that had a number, and have died of it.
    local last = tonumber(redis.call('HGET', state, 'last') or 0)
    for i, payload in ipairs(redis.call('LRANGE', wait, 0, -1)) do
        redis.call('HSET', inflight, last + i, payload)
    end
    redis.call('DEL', wait)
else
    give_back_waited(wait, list)
end

local numbers = numbers_in(inflight)
local solo = redis.call('HGET', state, 'solo')
if not solo and deadline >= 0 and #numbers == 1 then
    solo = numbers[1]
end
local left = math.max(0, #numbers - limit)
for i = #numbers, left + 1, -1 do
    local number = numbers[i]
    local payload = redis.call('HGET', inflight, number)
    local _, deliveries = split(payload)
    if number == solo then
        deliveries = deliveries + 1
        payload = with_deliveries(payload, deliveries >= max_deliveries and math.max(deliveries, 2) or deliveries)
    elseif not solo then
        -- Who ran beside others is not to blame for more than brings it to be run alone.
        local most = math.max(1, max_deliveries - 1)
        payload = with_deliveries(payload, math.max(deliveries, math.min(deliveries + 1, most)))
    end
    redis.call('LPUSH', list, payload)
    redis.call('HDEL', inflight, number)
end
if left == 0 then
    redis.call('DEL', state)
    if now - condemned > tonumber(ARGV[5]) then
        redis.call('ZREM', consumers, consumer)
    end
end
return left
