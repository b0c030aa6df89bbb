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
    Ref held_by_pool = Ref::own(job->self());
    pool->admission.withdraw(job->entry);
    refuse_job(job, exception.get());
}

bool is_busy_for(const PoolObject* pool, const PyObject* guard) noexcept {
    return pool->guard == guard && !pool->admission.idle();
}

/// Cancels everything. Guarantees: false with an exception set, and nothing done, if
/// there is no memory.
bool cancel_jobs(PoolObject* pool) noexcept {
    // Producers first, so that none is admitted into a place that is freed here; then what has not begun.
    Ref all = everything_of(pool);
    if (!all) return false;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(all.get()); ++i) {
        PyObject* item = PyList_GET_ITEM(all.get(), i);
        if (Py_TYPE(item) == pool->state->turn_type) {
            auto* turn = reinterpret_cast<Turn*>(item);
            if (turn->entry.place != Place::outside) cancel_turn(turn);
            continue;
        }
        Job* job = job_of(item);
        if (is_outside_door(job->entry)) {
            refuse_waiting(pool, job);
        } else if (job->entry.place != Place::outside && cancel_job(job, nullptr) < 0) {
            report(pool, "could not cancel a job", item);
            cancel_by_force(job);  // whoever waits for all to end must not wait for ever
        }
    }
    return true;
}

/// The rest of the end of jobs that were taken out of the pool, in the loop: futures are settled there only.
PyObject* end_taken(PyObject* self, PyObject* taken) noexcept {
    const Exclusive exclusive(self);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(taken); ++i) {
        const Ref item = Ref::share(PyList_GET_ITEM(taken, i));
        Job* job = job_of(item.get());
        if (job->pool() != nullptr) end_dropped(job, nullptr);
    }
    return new_none();
}
PyMethodDef end_taken_def = {"pool_end_taken", end_taken, METH_O, nullptr};

/// Closes those that are closed without running anything. The loop may be closed before it ends them, and what is dropped
/// then must not complain that it was never awaited.
void close_taken(PoolObject* pool, PyObject* taken) noexcept {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(taken); ++i) {
        PyObject* coro = job_of(PyList_GET_ITEM(taken, i))->coro;
        if (PyCoro_CheckExact(coro)) close_coroutine(pool, coro);
    }
}

/// Has the loop end them; or does so here, if it is closed.
bool end_taken_in_loop(PoolObject* pool, const Ref& loop, PyObject* taken) noexcept {
    const Ref bound = Ref::own(PyCFunction_New(&end_taken_def, as_object(pool)));
    if (!bound) return false;
    PyObject* how = pool->state->call_soon_threadsafe.get();
    if (call_method(loop.get(), how, bound.get(), taken)) return true;
    if (defer_interrupt() && call_method(loop.get(), how, bound.get(), taken)) return true;  // to end twice is to end
    PyErr_Clear();
    Ref::own(end_taken(as_object(pool), taken));
    return true;
}

}  // namespace

PyObject* pool_is_busy(PyObject* self, PyObject* guard) noexcept {
    const Exclusive exclusive(self);
    return PyBool_FromLong(is_busy_for(reinterpret_cast<PoolObject*>(self), guard));
}

PyObject* pool_cancel_guarded(PyObject* self, PyObject* guard) noexcept {
    const Exclusive exclusive(self);
    auto* pool = reinterpret_cast<PoolObject*>(self);
    if (!is_busy_for(pool, guard)) return new_none();
    pool->loop_ends = true;
    return pool_cancel_all(self, nullptr);
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
    pool->closed = true;
    // Producers first, so that none is admitted into a place that is freed here. Only threads can be told by any thread.
    const Ref line = objects_at(pool, {Place::line});
    if (!line) return nullptr;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(line.get()); ++i) {
        Job* job = job_of(PyList_GET_ITEM(line.get(), i));
        if (job->entry.place == Place::line && job->sink_kind == SinkKind::thread) refuse_waiting(pool, job);
    }
    Ref futures = Ref::own(PyList_New(0));
    const Ref taken = futures ? objects_at(pool, {Place::queued}) : Ref();  // from here on no other code runs
    if (!taken) return nullptr;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(taken.get()); ++i) {
        const Job* job = job_of(PyList_GET_ITEM(taken.get(), i));
        if (job->sink_kind == SinkKind::thread && PyList_Append(futures.get(), job->seen().sink) < 0) return nullptr;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(taken.get()); ++i) {
        pool->admission.finish(job_of(PyList_GET_ITEM(taken.get(), i))->entry, Outcome::cancelled);
        Py_DECREF(PyList_GET_ITEM(taken.get(), i));  // the pool's reference; the list has its own
    }
    const Ref loop = Ref::share(pool->loop);
    close_taken(pool, taken.get());  // lets go of what they hold: from here on other code may run
    if (PyList_GET_SIZE(taken.get()) > 0 && !end_taken_in_loop(pool, loop, taken.get())) return nullptr;
    settle_flow(pool);
    return futures.release();
}

PyObject* pool_cancel_all(PyObject* self, PyObject*) noexcept {
    const Exclusive exclusive(self);
    auto* pool = reinterpret_cast<PoolObject*>(self);
    // To cancel is to run code, which may ask for the same. Level upon level of it would double the work each time.
    if (pool->cancelling_all) return new_none();
    pool->cancelling_all = true;
    const bool done = cancel_jobs(pool);
    pool->cancelling_all = false;
    if (!done) return nullptr;
    have_pass(pool);
    return new_none();
}

}  // namespace nbaio
