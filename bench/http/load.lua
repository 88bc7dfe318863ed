-- What wrk sends: `put`, `post` or `get`, each to one of 2,000 documents of its own.
local way, n, head = "put", 0, {}
local threads = 0

function setup (thread)
    thread:set ("id", threads)
    threads = threads + 1
end

function init (args)
    way = args[1]
    head = {["Authorization"] = "Bearer " .. os.getenv ("SAKER_TOKEN"), ["Content-Type"] = "application/json"}
end

function request ()
    n = n + 1
    local path = "/v1/collections/bench/documents/d" .. id .. "-" .. (n % 2000)
    if way == "get" then
        return wrk.format ("GET", path, head)
    elseif way == "post" then
        return wrk.format ("POST", path, head, '{"op":"set","pointer":"/n","value":' .. n .. '}')
    end
    return wrk.format ("PUT", path, head, '{"n":' .. n .. ',"title":"Dawn"}')
end
