-- Looks for tasks in a part of the list.
-- KEYS: list   ARGV: first index, last index, tokens...
-- Returns { how many were looked at, { tokens that are there } }.
local set = set_of(ARGV, 3)
local tokens = {}
local function found(token)
    tokens[#tokens + 1] = token
end
local payloads = redis.call('LRANGE', KEYS[1], ARGV[1], ARGV[2])
for _, payload in ipairs(payloads) do
    look_for(set, payload, found)
end
return { #payloads, tokens }
