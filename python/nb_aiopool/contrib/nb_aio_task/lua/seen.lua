-- KEYS: consumers
-- Returns { now in ms, { consumer, deadline, consumer, deadline, ... } }.
local time = redis.call('TIME')
return { time[1] * 1000 + math.floor(time[2] / 1000), redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES') }
