// Closing the pool, and cancelling what it holds.
#include "binding/job.hpp"
#include "binding/pool.hpp"
#include "binding/turn.hpp"

namespace nbaio {
namespace {

void refuse_waiting(PoolObject* pool, Job* job) noexcept {
    Ref exception;
    if (!job->entry.keeps_place) {
        // The caller of run() waits for the job itself.
        exception = call(pool->state->pool_stopped.get());
        if (!exception) PyErr_Clear();
    }
    // To make the exception is to run code, and the job may have left the line by it.
    if (!is_outside_door(job->entry)) return;
    Ref held_by_pool = Ref::own(job->self);
    pool->admission.withdraw(job->entry);
    refuse_job(job, exception.get());
}

bool is_busy_for(const PoolObject* pool, const PyObject* guard) noexcept {
    return pool->guard == guard && !pool->admission.idle();
}

/// Cancels what has not begun, or with `begun_too` everything. Guarantees: false with an exception set, and nothing done, if
/// there is no memory.
bool cancel_jobs(PoolObject* pool, bool begun_too) noexcept {
    // Producers first, so that none is admitted into a place that is freed here; then what has not begun.
    Ref all = everything_of(pool);
    if (!all) return false;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(all.get()); ++i) {
        PyObject* item = PyList_GET_ITEM(all.get(), i);
        if (Py_TYPE(item) == pool->state->turn_type) {
            auto* turn = reinterpret_cast<Turn*>(item);
            if (begun_too && turn->entry.place != Place::outside) cancel_turn(turn);
            continue;
        }
        Job* job = job_of(item);
        const Place place = job->entry.place;
        const bool is_meant = begun_too ? place != Place::outside : place == Place::queued;
        if (is_outside_door(job->entry)) {
            refuse_waiting(pool, job);
        } else if (is_meant && cancel_job(job, nullptr) < 0) {
            report(pool, "could not cancel a job", item);
            cancel_by_force(job);  // whoever waits for all to end must not wait for ever
        }
    }
    return true;
}

}  // namespace

PyObject* pool_is_busy(PyObject* self, PyObject* guard) noexcept {
    const Exclusive exclusive(self);
    return PyBool_FromLong(is_busy_for(reinterpret_cast<PoolObject*>(self), guard));
}

PyObject* pool_cancel_guarded(PyObject* self, PyObject* guard) noexcept {
    const Exclusive exclusive(self);
    return is_busy_for(reinterpret_cast<PoolObject*>(self), guard) ? pool_cancel_all(self, nullptr) : new_none();
}

PyObject* pool_close(PyObject* self, PyObject*) noexcept {
    const Exclusive exclusive(self);
    auto* pool = reinterpret_cast<PoolObject*>(self);
    if (!use_running_loop(pool)) return nullptr;
    pool->closed = true;
    return new_none();
}

PyObject* pool_drop_queued(PyObject* self, PyObject*) noexcept {
    const Exclusive exclusive(self);
    auto* pool = reinterpret_cast<PoolObject*>(self);
    if (!cancel_jobs(pool, false)) return nullptr;
    have_pass(pool);
    return new_none();
}

PyObject* pool_cancel_all(PyObject* self, PyObject*) noexcept {
    const Exclusive exclusive(self);
    auto* pool = reinterpret_cast<PoolObject*>(self);
    // To cancel is to run code, which may ask for the same. Level upon level of it would double the work each time.
    if (pool->cancelling_all) return new_none();
    pool->cancelling_all = true;
    const bool done = cancel_jobs(pool, true);
    pool->cancelling_all = false;
    if (!done) return nullptr;
    have_pass(pool);
    return new_none();
}

}  // namespace nbaio
