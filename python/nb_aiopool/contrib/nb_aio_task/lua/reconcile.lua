-- Hands back, in order and to the front, what a consumer holds and does not know of.
-- KEYS: list, inflight, wait, state, consumers
-- ARGV: consumer, numbers that it knows (in one string), '1' if also what a blocking call has taken,
--       serial of an early start whose number it does not know, or ''
-- Returns the highest number it was given; 0 if it was recovered.
local list, inflight, wait, state, consumers = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
if not deadline_of(consumers, ARGV[1]) then
    return 0
end
if ARGV[3] ~= '' then
    give_back_waited(wait, list)
end
local known = {}
for number in ARGV[2]:gmatch('%d+') do
    known[number] = true
end
local state_of_early = redis.call('HMGET', state, 'early', 'early_number')
if state_of_early[1] == ARGV[4] then
    known[state_of_early[2]] = true
end
local numbers = numbers_in(inflight)
for i = #numbers, 1, -1 do
    if not known[numbers[i]] then
        redis.call('LPUSH', list, redis.call('HGET', inflight, numbers[i]))
        redis.call('HDEL', inflight, numbers[i])
    end
end
return tonumber(redis.call('HGET', state, 'last') or 0)
