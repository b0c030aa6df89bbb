#include "binding/thread_entrance.hpp"

#include "binding/arrival.hpp"
#include "binding/job.hpp"
#include "binding/lending.hpp"
#include "binding/offer.hpp"
#include "binding/pool.hpp"
#include "binding/thread_outcome.hpp"

namespace nbaio {
namespace {

PoolObject* pool_of(PyObject* self) noexcept { return reinterpret_cast<PoolObject*>(self); }

/// The loop that a thread submits to. Guarantees: null with an exception set if there is none.
Ref loop_for_thread(PoolObject* pool, PyObject* given) noexcept {
    State* state = pool->state;
    Ref loop = Ref::share(given != nullptr ? given : pool->loop);
    if (!loop) {
        loop = call(state->get_running_loop.get());
        if (!loop) return Ref();
        if (loop.get() == Py_None) {
            PyErr_SetString(
                PyExc_RuntimeError,
                "the pool is in no event loop now: it was not used in one yet, or that has ended; pass the one to use, "
                "sync_submit(coro, loop=loop)");
            return Ref();
        }
    }
    if (PyObject_HasAttr(loop.get(), state->call_soon_threadsafe.get()) == 0) {
        PyErr_Format(PyExc_TypeError, "loop must be an event loop, got %R (%.200s)", loop.get(),
                     Py_TYPE(loop.get())->tp_name);
        return Ref();
    }
    Ref closed = call_method(loop.get(), state->is_closed.get());
    const int is_closed = closed ? PyObject_IsTrue(closed.get()) : -1;
    if (is_closed == 1) {
        PyErr_Format(PyExc_RuntimeError,
                     "the event loop is closed: %R; pass one that runs, sync_submit(coro, loop=loop)", loop.get());
    }
    return is_closed == 0 ? std::move(loop) : Ref();
}

/// Guarantees: false with an exception set.
bool is_open(PoolObject* pool) noexcept {
    if (pool->closed) return serves_closed_pool(pool);
    if (!pool->loop_ends || on_own_loop(pool) || works_for_pool(pool)) return true;
    // Whoever ends the loop waits for the pool to come to rest.
    const Ref error = call(pool->state->new_loop_ends_error.get());
    if (error) PyErr_SetObject(as_object(Py_TYPE(error.get())), error.get());
    return false;
}

/// What holds for every offer. Guarantees: false with an exception set.
bool may_enter_from_thread(PoolObject* pool, PyObject* given_loop) noexcept {
    const Ref loop = loop_for_thread(pool, given_loop);
    return loop && use_loop(pool, loop.get()) && is_open(pool);
}

/// Whether what held for the offer holds still. Guarantees: false with an exception set.
bool may_still_enter(PoolObject* pool, PyObject* loop) noexcept { return is_still_bound(pool, loop) && is_open(pool); }

/// Makes sure of a pass for a job that was accepted just now. Guarantees: null with the loop's exception set, and the job
/// is taken back, if it cannot be told.
PyObject* wake_loop(PoolObject* pool, Job* job) noexcept {
    // Only now: the thread that runs the loop may make the pass at once, and has to find the job.
    if (schedule_pump(pool)) return new_none();
    if (job->entry.place != Place::queued && job->entry.place != Place::starting) {
        PyErr_Clear();  // it has begun meanwhile
        return new_none();
    }
    RaisedAside aside;
    take_back_job(job);
    return nullptr;
}

}  // namespace

PyObject* pool_offer_from_thread(PyObject* self, PyObject* const* args, Py_ssize_t count) noexcept {
    const Exclusive exclusive(self);
    PoolObject* pool = pool_of(self);
    State* state = pool->state;
    if (count != 4) {
        PyErr_Format(PyExc_TypeError, "_native_offer_from_thread() takes 4 arguments (%zd given)", count);
        return nullptr;
    }
    PyObject* object = args[0];
    PyObject* future = args[2];
    if (!is_thread_outcome(state, future)) {
        PyErr_SetString(PyExc_TypeError, "_native_offer_from_thread() takes a ThreadOutcome");
        return refuse(pool, object);
    }
    const int block = flag("block", args[1]);
    if (block < 0) refuse(pool, args[1]);
    const Kind kind = block < 0 ? Kind::wrong : kind_of(state, object);
    if (kind == Kind::wrong || !may_enter_from_thread(pool, args[3] != Py_None ? args[3] : nullptr)) {
        return refuse(pool, object);
    }
    const Ref loop = Ref::share(pool->loop);
    const bool is_home = on_own_loop(pool);
    const bool waits = block == 1 && !is_home;
    if (!waits && pool->admission.spare_room() == 0) return refuse_full(pool, object);
    Ref owner = make_job(pool, object, kind, future);
    if (!owner) return refuse(pool, object);
    Job* job = job_of(owner.get());
    job->sink_kind = SinkKind::thread;
    // Only now: all of the above can run other code.
    set_job_of_outcome(future, owner.get());
    if (!may_still_enter(pool, loop.get())) return refuse(pool, job->coro);
    const bool may_come_in = waits ? pool->admission.welcomes() : make_way(pool, 1);
    if (!may_still_enter(pool, loop.get())) return refuse(pool, job->coro);  // to let others in is to run code
    if (may_come_in) {
        pool->admission.accept(job->entry);
        own_job(job);
        note_accepted(pool, job);
        want_slot(job);
        return wake_loop(pool, job);
    }
    if (!waits) return refuse_full(pool, job->coro);
    const Ref parking = new_parking();
    Ref arrival = parking ? new_arrival(pool, owner.get(), parking.get()) : Ref();
    if (!arrival || !may_still_enter(pool, loop.get())) return refuse(pool, job->coro);
    job->details()->waits_on = new_ref(parking.get());
    pool->admission.stand_in_line(job->entry, false);
    own_job(job);
    want_slot(job);
    settle_flow(pool);
    return arrival.release();
}

}  // namespace nbaio
