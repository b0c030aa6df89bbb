// What somebody offers to the pool: what it may be, and how it is refused.
#pragma once

#include "binding/python.hpp"
#include "binding/state.hpp"

namespace nbaio {

struct PoolObject;

enum class Kind { coroutine, awaitable, wrong };

/// What is offered. May run its code. Guarantees: with `wrong`, TypeError or what that code has raised is set.
Kind kind_of(State* state, PyObject* object) noexcept;

/// Refuses what was offered. Requires: an exception is set. Guarantees: null, and the coroutine is closed.
PyObject* refuse(PoolObject* pool, PyObject* object) noexcept;

/// The same with PoolFull.
PyObject* refuse_full(PoolObject* pool, PyObject* object) noexcept;

/// Whether the caller is code that a job of the pool has set going, in a task or thread of its own, say.
bool works_for_pool(PoolObject* pool) noexcept;

/// Whether the caller works for jobs of a pool that was closed: only they may submit to it. Guarantees: false with
/// PoolStopped set.
bool serves_closed_pool(PoolObject* pool) noexcept;

/// A job for what is offered, outside of the pool. `sink` may be null. Guarantees: null with an exception set, and what was
/// made here is closed, on failure.
Ref make_job(PoolObject* pool, PyObject* object, Kind kind, PyObject* sink) noexcept;

/// For a newcomer that cannot wait: lets in all who came earlier, producers that only rest among them, if there is room for
/// them and `count` more. Guarantees: true if the newcomers may be accepted now.
bool make_way(PoolObject* pool, std::size_t count) noexcept;

/// The value of a flag: True or False, for which 1 and 0 stand too. Guarantees: -1 with an exception set for anything else;
/// it was meant for something else: a number of seconds, a text, another coroutine. As `_flags.py`.
int flag(const char* name, PyObject* object) noexcept;

}  // namespace nbaio
