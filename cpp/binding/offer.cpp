#include "binding/offer.hpp"

#include "binding/job.hpp"
#include "binding/lineage.hpp"
#include "binding/pool.hpp"

namespace nbaio {

Kind kind_of(State* state, PyObject* object) noexcept {
    if (PyCoro_CheckExact(object)) return Kind::coroutine;
    if (PyGen_CheckExact(object)) {
        // A generator made by types.coroutine.
        Ref code = Ref::own(PyObject_GetAttrString(object, "gi_code"));
        Ref flags = code ? Ref::own(PyObject_GetAttrString(code.get(), "co_flags")) : Ref();
        if (!flags) return Kind::wrong;
        if ((PyLong_AsLong(flags.get()) & CO_ITERABLE_COROUTINE) != 0) return Kind::coroutine;
    } else {
        const int is_coroutine = PyObject_IsInstance(object, state->coroutine_abc.get());
        if (is_coroutine < 0) return Kind::wrong;
        if (is_coroutine == 1) return Kind::coroutine;
        const PyAsyncMethods* async = Py_TYPE(object)->tp_as_async;
        if (async != nullptr && async->am_await != nullptr) return Kind::awaitable;
    }
    if (PyCallable_Check(object) != 0) {
        PyErr_Format(
            PyExc_TypeError,
            "an awaitable is required, got the callable %R: call it, and pass what it returns; see docs/errors.md",
            object);
    } else {
        PyErr_Format(
            PyExc_TypeError,
            "an awaitable is required, got %R (%.200s): pass what an async function returns; see docs/errors.md",
            object, Py_TYPE(object)->tp_name);
    }
    return Kind::wrong;
}

PyObject* refuse(PoolObject* pool, PyObject* object) noexcept {
    RaisedAside aside;
    if (PyCoro_CheckExact(object) || PyGen_CheckExact(object) ||
        PyObject_IsInstance(object, pool->state->coroutine_abc.get()) == 1) {
        close_coroutine(pool, object);
    }
    PyErr_Clear();
    return nullptr;
}

PyObject* refuse_full(PoolObject* pool, PyObject* object) noexcept {
    PyErr_Format(
        pool->state->pool_full.get(),
        "the pool is full: %zu running (limit %zu), %zu queued (limit %zu), %zu waiting; wait for room, or raise "
        "the limits; see docs/errors.md",
        pool->admission.running(), pool->admission.max_running(), pool->admission.queued(),
        pool->admission.max_queued(), pool->admission.waiting());
    return refuse(pool, object);
}

bool works_for_pool(PoolObject* pool) noexcept {
    const LineageRef lineage = current_lineage(pool->state);
    return nearest_lineage(lineage.get(), pool, nullptr) != nullptr;
}

bool serves_closed_pool(PoolObject* pool) noexcept {
    // Another thread's code is not inside, whatever executes in the meantime.
    if ((on_own_loop(pool) && is_inside(pool)) || works_for_pool(pool)) return true;
    PyErr_SetString(pool->state->pool_stopped.get(),
                    "the pool was shut down and takes no new work: make a new pool, or submit before shutdown(); see "
                    "docs/errors.md");
    return false;
}

Ref make_job(PoolObject* pool, PyObject* object, Kind kind, PyObject* sink) noexcept {
    if (kind == Kind::coroutine) return new_job(pool, object, sink);
    Ref wrapped = call(pool->state->wrap_awaitable.get(), object);
    if (!wrapped) return Ref();
    Ref job = new_job(pool, wrapped.get(), sink);
    if (!job) refuse(pool, wrapped.get());
    return job;
}

bool make_way(PoolObject* pool, std::size_t count) noexcept {
    Admission& admission = pool->admission;
    if (admission.spare_room() < count) return false;
    do {
        while (Entry* entry = admission.admit_next()) welcome(pool, *entry);
        while (Entry* entry = admission.at(Place::granted).front()) {
            Job* job = job_of(*entry);
            Ref waiter = job->take(&JobDetails::waits_on);
            admission.confirm(*entry);
            note_accepted(pool, job);
        }
    } while (admission.can_admit());  // who may only be admitted once those with a place have come
    return admission.welcomes() && admission.room() >= count;
}

int flag(const char* name, PyObject* object) noexcept {
    if (object == Py_True) return 1;
    if (object == Py_False) return 0;
    if (PyIndex_Check(object) != 0) {
        const Ref number = Ref::own(PyNumber_Index(object));
        if (!number && PyErr_ExceptionMatches(PyExc_TypeError) == 0) return -1;
        PyErr_Clear();
        int overflow = 0;
        const long value = number ? PyLong_AsLongAndOverflow(number.get(), &overflow) : -1;
        if (value == 0 || value == 1) return static_cast<int>(value);
    }
    const PyAsyncMethods* async = Py_TYPE(object)->tp_as_async;
    const bool is_awaitable = async != nullptr && async->am_await != nullptr;
    PyErr_Format(PyExc_TypeError, "%s must be True or False, got %R (%.200s)%s", name, object, Py_TYPE(object)->tp_name,
                 is_awaitable ? "; submit, run and sync_submit take one awaitable, and batch_submit and batch_run a "
                                "list of them, [a, b]"
                              : "");
    return -1;
}

}  // namespace nbaio
