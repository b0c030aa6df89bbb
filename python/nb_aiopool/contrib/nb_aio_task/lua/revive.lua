-- Queues a dead letter again, and forgets its record.
-- KEYS: list, dead, ids   ARGV: prefix, name, its record, payload, token, id or '', life of a unique id (ms)
-- Returns 1 if it was queued, 0 if the record is another by now or the id belongs to a living task.
local prefix, name, record, payload, token, id, life = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
if redis.call('HGET', KEYS[2], name) ~= record then
    return 0
end
if id ~= '' then
    if not redis.call('SET', prefix .. 'unique:' .. id, token, 'NX', 'PX', life) then
        return 0
    end
    local time = redis.call('TIME')
    redis.call('ZADD', KEYS[3], time[1] * 1000 + math.floor(time[2] / 1000) + life, id)
end
redis.call('RPUSH', KEYS[1], payload)
redis.call('HDEL', KEYS[2], name)
redis.call('DEL', prefix .. 'result:' .. name)
return 1
