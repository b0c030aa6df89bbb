#include "binding/thread_entrance.hpp"

#include <new>

#include "binding/job.hpp"
#include "binding/lending.hpp"
#include "binding/offer.hpp"
#include "binding/pool.hpp"
#include "core/parking.hpp"

namespace nbaio {
namespace {

PoolObject* pool_of(PyObject* self) noexcept { return reinterpret_cast<PoolObject*>(self); }

// A Parking as an object, which a job keeps where others keep the future that their producer waits for.
constexpr const char* parking_name = "nb_aiopool._core.parking";

Parking* parking_of(PyObject* object) noexcept {
    if (object == nullptr || PyCapsule_IsValid(object, parking_name) == 0) return nullptr;
    return static_cast<Parking*>(PyCapsule_GetPointer(object, parking_name));
}

void free_parking(PyObject* object) noexcept { delete parking_of(object); }

Ref new_parking() noexcept {
    auto* parking = new (std::nothrow) Parking();
    if (parking == nullptr) {
        PyErr_NoMemory();
        return Ref();
    }
    Ref object = Ref::own(PyCapsule_New(parking, parking_name, free_parking));
    if (!object) delete parking;
    return object;
}

/// The loop that a thread submits to. Guarantees: null with an exception set if there is none.
Ref loop_for_thread(PoolObject* pool, PyObject* given) noexcept {
    State* state = pool->state;
    Ref loop = Ref::share(given != nullptr ? given : pool->loop);
    if (!loop) {
        loop = call(state->get_running_loop.get());
        if (!loop) return Ref();
        if (loop.get() == Py_None) {
            PyErr_SetString(PyExc_RuntimeError,
                            "the pool has not been used in an event loop yet: pass the one to use, sync_submit(coro, loop=loop)");
            return Ref();
        }
    }
    if (PyObject_HasAttr(loop.get(), state->call_soon_threadsafe.get()) == 0) {
        PyErr_Format(PyExc_TypeError, "loop must be an event loop, got %R (%.200s)", loop.get(), Py_TYPE(loop.get())->tp_name);
        return Ref();
    }
    Ref closed = call_method(loop.get(), state->is_closed.get());
    const int is_closed = closed ? PyObject_IsTrue(closed.get()) : -1;
    if (is_closed == 1) {
        PyErr_Format(PyExc_RuntimeError, "the event loop is closed: %R; pass one that runs, sync_submit(coro, loop=loop)",
                     loop.get());
    }
    return is_closed == 0 ? std::move(loop) : Ref();
}

/// What holds for every offer. Guarantees: false with an exception set.
bool may_enter_from_thread(PoolObject* pool, PyObject* given_loop) noexcept {
    const Ref loop = loop_for_thread(pool, given_loop);
    if (!loop || !use_loop(pool, loop.get())) return false;
    return !pool->closed || serves_closed_pool(pool);
}

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
    const int block = PyObject_IsTrue(args[1]);
    const Kind kind = block < 0 ? Kind::wrong : kind_of(state, object);
    if (kind == Kind::wrong || !may_enter_from_thread(pool, args[3] != Py_None ? args[3] : nullptr)) {
        return refuse(pool, object);
    }
    const Ref loop = Ref::share(pool->loop);
    const bool waits = block == 1 && !on_own_loop(pool);
    if (!waits && !pool->admission.welcomes()) return refuse_full(pool, object);
    Ref owner = make_job(pool, object, kind, future);
    if (!owner) return refuse(pool, object);
    Job* job = job_of(owner.get());
    job->sink_is_of_thread = true;
    Ref parking = waits ? new_parking() : Ref();
    // Only now: all of the above can run other code.
    if ((waits && !parking) || PyObject_SetAttr(future, state->private_job.get(), owner.get()) < 0 ||
        !is_still_bound(pool, loop.get())) {
        return refuse(pool, job->coro);
    }
    if (pool->admission.welcomes()) {
        pool->admission.accept(job->entry);
        own_job(job);
        note_accepted(pool, job);
        want_slot(job);
        return wake_loop(pool, job);
    }
    if (!waits) return refuse_full(pool, job->coro);
    job->waits_on = parking.release();
    pool->admission.stand_in_line(job->entry, false);
    own_job(job);
    want_slot(job);
    settle_flow(pool);
    return owner.release();
}

PyObject* pool_park(PyObject* self, PyObject* const* args, Py_ssize_t count) noexcept {
    const Exclusive exclusive(self);
    if (count != 2 || Py_TYPE(args[0]) != pool_of(self)->state->job_type) {
        PyErr_SetString(PyExc_TypeError, "_native_park() takes a Job and a number of seconds");
        return nullptr;
    }
    const double seconds = PyFloat_AsDouble(args[1]);
    if (seconds == -1.0 && PyErr_Occurred() != nullptr) return nullptr;
    const Job* job = job_of(args[0]);
    const Ref waiter = Ref::share(job->waits_on);
    Parking* parking = is_outside_door(job->entry) ? parking_of(waiter.get()) : nullptr;
    if (parking == nullptr) Py_RETURN_TRUE;  // it has left the line already
    bool woken = false;
    Py_BEGIN_ALLOW_THREADS
    woken = parking->sleep_for(std::chrono::milliseconds(static_cast<long long>(seconds * 1e3)));
    Py_END_ALLOW_THREADS
    if (PyErr_CheckSignals() < 0) return nullptr;
    return PyBool_FromLong(woken);
}

bool wake_thread(PyObject* waiter) noexcept {
    Parking* parking = parking_of(waiter);
    if (parking != nullptr) parking->wake();
    return parking != nullptr;
}

}  // namespace nbaio
