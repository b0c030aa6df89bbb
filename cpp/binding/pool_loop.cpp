// The pool and its event loop: which one it belongs to, and what it tells that.
#include "binding/job.hpp"
#include "binding/pool.hpp"
#include "binding/turn.hpp"
#include "binding/wanted_work.hpp"

namespace nbaio {
namespace {

bool refuse_busy(PoolObject* pool) noexcept {
    PyErr_Format(
        PyExc_RuntimeError,
        "the pool is busy in another event loop (%R): wait until it is idle there, or use one pool per loop; see "
        "docs/errors.md",
        pool->loop != nullptr ? pool->loop : Py_None);
    return false;
}

/// What asyncio's own loops, and those derived from them, have. Null without an exception if there is nothing like it.
Ref queue_of(State* state, PyObject* loop) noexcept {
    Ref queue = Ref::own(PyObject_GetAttr(loop, state->ready.get()));
    if (!queue) PyErr_Clear();
    return queue && as_object(Py_TYPE(queue.get())) == state->deque_type.get() ? std::move(queue) : Ref();
}

/// Guarantees: false with an exception set, and the pool not bound.
bool bind(PoolObject* pool, PyObject* loop) noexcept {
    State* state = pool->state;
    Ref debug = call_method(loop, state->get_debug.get());
    const int is_debug = debug ? PyObject_IsTrue(debug.get()) : -1;
    if (is_debug < 0) return false;
    Ref keyword = Ref::own(PyDict_New());
    if (!keyword || PyDict_SetItem(keyword.get(), state->loop.get(), loop) < 0) return false;
    Ref queue = queue_of(state, loop);
    const Py_ssize_t loop_offset = is_debug == 1 ? 0 : find_loop_offset(state, keyword.get(), loop);
    if (pool->loop == loop) return true;                  // whoever answered get_debug() used the pool
    if (pool->loop != nullptr) return refuse_busy(pool);  // or another thread did
    pool->debug = is_debug == 1;
    const Ref thread = Ref::own(std::exchange(pool->loop_thread, nullptr));
    pool->loop_offset = loop_offset;
    pool->loop = new_ref(loop);
    pool->loop_keyword = keyword.release();
    pool->loop_queue = queue.release();
    return true;
}

int raise_later(void* exception) noexcept {
    raise(Ref::own(static_cast<PyObject*>(exception)));
    return -1;
}

}  // namespace

void unbind(PoolObject* pool) noexcept {
    Ref loop = Ref::own(std::exchange(pool->loop, nullptr));
    Ref keyword = Ref::own(std::exchange(pool->loop_keyword, nullptr));
    Ref queue = Ref::own(std::exchange(pool->loop_queue, nullptr));
    Ref guard = Ref::own(std::exchange(pool->guard, nullptr));
    Ref waiters = Ref::own(std::exchange(pool->idle_waiters, nullptr));
    pool->running_loop.forget();
    pool->loop_ends = false;
    pool->pump_scheduled = pool->pump_is_spare = false;
    pool->breaker_armed = false;  // its timer went with the loop
    pool->still_pauses = 0;
    pool->producer_budget.renew();
    pool->spare_lineage.drop();
    pool->snapshot.drop();
}

bool use_running_loop(PoolObject* pool) noexcept {
    State* state = pool->state;
    if (pool->running_loop.is_known(state)) return true;
    Ref running = call(state->get_running_loop.get());
    if (!running) return false;
    if (running.get() == pool->loop) {
        pool->running_loop.remember(state);
        return true;
    }
    if (running.get() == Py_None) {
        PyErr_SetString(
            PyExc_RuntimeError,
            "no running event loop: use the pool from a coroutine or callback of one, or sync_submit() from "
            "another thread; see docs/errors.md");
        return false;
    }
    return use_loop(pool, running.get());
}

bool is_executing(const PoolObject* pool) noexcept {
    if (pool->in_pass) return true;
    const Executing* innermost = pool->executing;
    return innermost != nullptr && (!innermost->closes || innermost->outer != nullptr);
}

bool use_loop(PoolObject* pool, PyObject* wanted) noexcept {
    if (wanted == pool->loop) return true;
    if (pool->loop != nullptr && is_executing(pool)) return refuse_busy(pool);
    if (pool->loop != nullptr && !pool->admission.idle()) {
        Ref closed = call_method(pool->loop, pool->state->is_closed.get());
        const int is_closed = closed ? PyObject_IsTrue(closed.get()) : -1;
        if (is_closed < 0) return false;
        if (is_closed == 0 || is_executing(pool)) return refuse_busy(pool);
        abandon_all(pool);
    } else if (pool->loop != nullptr) {
        const Ref left = Ref::share(pool->loop);
        // It came to rest in the middle of a pass, and whoever waits for that has not heard of it yet.
        if (pool->idle_waiters != nullptr) release_idle_waiters(pool);
        if (pool->loop != left.get() || !pool->admission.idle()) return refuse_busy(pool);  // used in the meantime
        unbind(pool);
    }
    return bind(pool, wanted);
}

bool is_still_bound(PoolObject* pool, PyObject* loop) noexcept { return pool->loop == loop || refuse_busy(pool); }

bool on_own_loop(PoolObject* pool) noexcept {
    if (pool->running_loop.is_known(pool->state)) return true;
    RaisedAside aside;
    Ref running = call(pool->state->get_running_loop.get());
    if (!running) PyErr_Clear();
    return running && running.get() == pool->loop;
}

bool is_inside(PoolObject* pool) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
    if (pool->executing == nullptr) return false;
    // A task that was started eagerly executes in the middle of the job's step without being the job.
    PyObject* who = pool->executing->who;
    const PyObject* task = Py_TYPE(who) == pool->state->job_type ? who : reinterpret_cast<Turn*>(who)->task;
    const Ref current = call(pool->state->current_task.get(), pool->loop);
    if (!current) PyErr_Clear();
    return current.get() == task;
#else
    return pool->executing != nullptr;
#endif
}

Entry* holder_inside(PoolObject* pool) noexcept { return is_inside(pool) ? pool->executing->holder : nullptr; }

bool defer_interrupt() noexcept {
    if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) == 0) return false;
    PyObject* interrupt = take_raised().release();
    if (Py_AddPendingCall(raise_later, interrupt) == 0) return true;
    raise(Ref::own(interrupt));
    return false;
}

void report(PoolObject* pool, const char* message, PyObject* object) noexcept {
    Ref exception = take_raised();
    if (pool->loop != nullptr) {
        Ref context =
            Ref::own(Py_BuildValue("{sssOsO}", "message", message, "exception", exception.get(), "object", object));
        if (context && call_method(pool->loop, pool->state->call_exception_handler.get(), context.get())) return;
        PyErr_Clear();
    }
    raise(std::move(exception));
    PyErr_WriteUnraisable(object);
}

void close_coroutine(PoolObject* pool, PyObject* coro) noexcept {
    RaisedAside aside;
    if (PyObject_HasAttr(coro, pool->state->close.get()) == 0) return;
    if (!call_method(coro, pool->state->close.get())) report(pool, "a coroutine failed to close", coro);
}

Ref objects_at(PoolObject* pool, std::initializer_list<Place> places) noexcept {
    Ref all = Ref::own(PyList_New(0));
    for (const Place place : places) {
        for (Entry* entry = pool->admission.at(place).front(); all && entry != nullptr; entry = entry->next) {
            if (PyList_Append(all.get(), object_of(*entry)) < 0) all.reset();
        }
    }
    return all;
}

Ref everything_of(PoolObject* pool) noexcept {
    return objects_at(pool, {Place::line, Place::granted, Place::queued, Place::starting, Place::ready, Place::running,
                             Place::lending, Place::returning, Place::repaid});
}

PyObject* pool_bind(PyObject* self, PyObject*) noexcept {
    const Exclusive exclusive(self);
    return use_running_loop(reinterpret_cast<PoolObject*>(self)) ? new_none() : nullptr;
}

PyObject* pool_is_inside(PyObject* self, PyObject*) noexcept {
    const Exclusive exclusive(self);
    return PyBool_FromLong(is_inside(reinterpret_cast<PoolObject*>(self)));
}

PyObject* pool_is_blocked(PyObject* self, PyObject*) noexcept {
    const Exclusive exclusive(self);
    const auto* pool = reinterpret_cast<PoolObject*>(self);
    if (pool->executing != nullptr || pool->admission.has_work()) Py_RETURN_FALSE;
    for (Entry* entry = pool->admission.at(Place::running).front(); entry != nullptr; entry = entry->next) {
        if (entry->kind != job_entry) continue;  // a Turn is driven by a task, which is asked itself
        const Job* job = job_of(*entry);
        if (job->seen().waits_on == nullptr || job->step_due || job->woken) Py_RETURN_FALSE;
    }
    Py_RETURN_TRUE;
}

}  // namespace nbaio
