#include "binding/arrival.hpp"

#include <new>

#include "binding/job.hpp"
#include "binding/lending.hpp"
#include "binding/pool.hpp"
#include "core/parking.hpp"

namespace nbaio {
namespace {

struct Arrival {
    // clang-format off
    PyObject_HEAD
    // clang-format on
    PoolObject* pool;    // owned; null when it is over
    PyObject* job;       // kept until the arrival goes
    PyObject* answer;    // the job, or its future=
    PyObject* waiter;    // the future that says when to come back
    PyObject* iterator;  // of the waiter; null before the first step
};

Arrival* arrival_of(PyObject* self) noexcept { return reinterpret_cast<Arrival*>(self); }

constexpr const char* parking_name = "nb_aiopool._core.parking";

/// Null if the object is something else, or null.
Parking* parking_of(PyObject* object) noexcept {
    if (object == nullptr || PyCapsule_IsValid(object, parking_name) == 0) return nullptr;
    return static_cast<Parking*>(PyCapsule_GetPointer(object, parking_name));
}

void free_parking(PyObject* object) noexcept { delete parking_of(object); }

// -- How it ends --------------------------------------------------------------------------------------------------------

/// Guarantees: false with an exception set if the job was not let in.
bool come_in(PoolObject* pool, Job* job) noexcept {
    if (job->entry.place == Place::granted) {
        Ref waiter = job->take(&JobDetails::waits_on);
        pool->admission.confirm(job->entry);
        note_accepted(pool, job);
        if (job->seen().sink != nullptr) want_slot(job);
        settle_flow(pool);
        return true;
    }
    if (job->entry.place == Place::line) {
        leave_line(job);
        PyErr_SetString(PyExc_RuntimeError, "a producer came back before it was admitted");
        return false;
    }
    if (job->accepted || job->sink_gave_up) return true;
    PyErr_SetString(pool->state->pool_stopped.get(), "the pool was shut down while this call waited for room");
    return false;
}

/// Undoes what the producer asked for. What has begun, in a slot that it lent, is cancelled: nobody else could do that, for
/// nobody has got its future. Not again if it was, along with the producer, or its cleanup would be interrupted. Keeps an
/// exception that is set.
void give_up(Arrival* arrival) noexcept {
    const Ref pool = Ref::own(as_object(std::exchange(arrival->pool, nullptr)));
    if (!pool) return;
    RaisedAside aside;
    Job* job = job_of(arrival->job);
    if (is_outside_door(job->entry)) {
        leave_line(job);
    } else if (job->entry.place == Place::queued || job->entry.place == Place::starting) {
        take_back_job(job);
    } else if (has_begun(job->entry) && job->seen().cancels_requested == 0 && cancel_job(job, nullptr) < 0) {
        report(job->pool(), "could not cancel a job", job->self());
    }
}

/// Goes on with what the waiter's iterator has answered.
Step follow(Arrival* arrival, Step step, Ref& value) noexcept {
    if (step == Step::yielded) return step;
    if (step == Step::raised) {
        give_up(arrival);
        return step;
    }
    const Ref pool = Ref::own(as_object(std::exchange(arrival->pool, nullptr)));
    if (!pool || !come_in(reinterpret_cast<PoolObject*>(pool.get()), job_of(arrival->job))) return Step::raised;
    value = Ref::share(arrival->answer);
    return Step::returned;
}

// -- The iterator that `await` drives -------------------------------------------------------------------------------------

/// Guarantees: false with an exception set if it is over, or cannot begin.
bool begin(Arrival* arrival) noexcept {
    if (arrival->pool == nullptr) {
        PyErr_SetString(PyExc_RuntimeError, "this submit() has ended");
        return false;
    }
    if (arrival->iterator == nullptr) {
        const PyAsyncMethods* async = Py_TYPE(arrival->waiter)->tp_as_async;
        if (async == nullptr || async->am_await == nullptr) {
            PyErr_Format(PyExc_TypeError, "the event loop's create_future() made %R, which cannot be awaited",
                         arrival->waiter);
            give_up(arrival);
            return false;
        }
        arrival->iterator = async->am_await(arrival->waiter);
        if (arrival->iterator == nullptr) give_up(arrival);
    }
    return arrival->iterator != nullptr;
}

Step send_step(Arrival* arrival, PyObject* sent, Ref& value) noexcept {
    if (!begin(arrival)) return Step::raised;
    const Ref iterator = Ref::share(arrival->iterator);
    return follow(arrival, send_into(iterator.get(), sent, job_of(arrival->job)->state()->send.get(), value), value);
}

PyObject* arrival_send(PyObject* self, PyObject* sent) noexcept {
    const Exclusive exclusive(as_object(arrival_of(self)->pool));
    const Ref alive = Ref::share(self);
    Ref value;
    const Step step = send_step(arrival_of(self), sent, value);
    return answer(step, std::move(value));
}

PyObject* arrival_next(PyObject* self) noexcept { return arrival_send(self, Py_None); }

#if PY_VERSION_HEX >= 0x030A0000
PySendResult arrival_am_send(PyObject* self, PyObject* sent, PyObject** result) noexcept {
    const Exclusive exclusive(as_object(arrival_of(self)->pool));
    const Ref alive = Ref::share(self);
    Ref value;
    const Step step = send_step(arrival_of(self), sent, value);
    return answer_send(step, std::move(value), result);
}
#endif

PyObject* arrival_throw(PyObject* self, PyObject* const* args, Py_ssize_t count) noexcept {
    const Exclusive exclusive(as_object(arrival_of(self)->pool));
    Arrival* arrival = arrival_of(self);
    if (!is_thrown_with(count)) return nullptr;
    const Ref alive = Ref::share(self);
    if (!begin(arrival)) return nullptr;
    const Ref iterator = Ref::share(arrival->iterator);
    Ref value;
    PyObject* throw_name = job_of(arrival->job)->state()->throw_name.get();
    const Step step = follow(arrival, throw_into(iterator.get(), args, count, throw_name, value), value);
    return answer(step, std::move(value));
}

PyObject* arrival_close(PyObject* self, PyObject*) noexcept {
    const Exclusive exclusive(as_object(arrival_of(self)->pool));
    give_up(arrival_of(self));
    return new_none();
}

/// Sleeps until the job has left the line. Guarantees: True if it was accepted; False if the time was over before; null
/// with PoolStopped, or what a signal's handler has raised, set, and the job is not in line any more.
PyObject* arrival_park(PyObject* self, PyObject* seconds) noexcept {
    Arrival* arrival = arrival_of(self);
    const Exclusive exclusive(as_object(arrival->pool));
    const double time = PyFloat_AsDouble(seconds);
    if (time == -1.0 && PyErr_Occurred() != nullptr) return nullptr;
    const Ref alive = Ref::share(self);
    Parking* parking = parking_of(arrival->waiter);
    if (arrival->pool == nullptr || parking == nullptr) {
        PyErr_SetString(PyExc_RuntimeError, "no thread waits here");
        return nullptr;
    }
    if (is_outside_door(job_of(arrival->job)->entry)) {
        bool woken = false;
        Py_BEGIN_ALLOW_THREADS;
        woken = parking->sleep_for(std::chrono::milliseconds(static_cast<long long>(time * 1e3)));
        Py_END_ALLOW_THREADS;
        if (PyErr_CheckSignals() < 0) {
            give_up(arrival);
            return nullptr;
        }
        if (!woken) Py_RETURN_FALSE;
    }
    Ref value;
    if (follow(arrival, Step::returned, value) == Step::raised) return nullptr;
    Py_RETURN_TRUE;
}

PyObject* arrival_job(PyObject* self, void*) noexcept { return new_ref(arrival_of(self)->job); }

// -- The type -------------------------------------------------------------------------------------------------------------

PyObject* arrival_new(PyTypeObject*, PyObject*, PyObject*) noexcept {
    PyErr_SetString(PyExc_TypeError, "an Arrival is made by pool.submit()");
    return nullptr;
}

int arrival_traverse(PyObject* self, visitproc visit, void* arg) noexcept {
    Arrival* arrival = arrival_of(self);
    Py_VISIT(as_object(arrival->pool));
    Py_VISIT(arrival->job);
    Py_VISIT(arrival->answer);
    Py_VISIT(arrival->waiter);
    Py_VISIT(arrival->iterator);
    if (instances_visit_their_type) Py_VISIT(Py_TYPE(self));
    return 0;
}

/// The job stays, and so does the answer: without them nothing can be undone, or returned.
int arrival_clear(PyObject* self) noexcept {
    Py_CLEAR(arrival_of(self)->iterator);
    return 0;
}

void arrival_finalize(PyObject* self) noexcept {
    const Exclusive exclusive(as_object(arrival_of(self)->pool));
    give_up(arrival_of(self));
}

void arrival_dealloc(PyObject* self) noexcept {
    if (PyObject_CallFinalizerFromDealloc(self) < 0) return;
    PyObject_GC_UnTrack(self);
    PyTypeObject* type = Py_TYPE(self);
    Arrival* arrival = arrival_of(self);
    const Ref pool = Ref::own(as_object(std::exchange(arrival->pool, nullptr)));
    const Ref job = Ref::own(std::exchange(arrival->job, nullptr));
    const Ref returned = Ref::own(std::exchange(arrival->answer, nullptr));
    const Ref waiter = Ref::own(std::exchange(arrival->waiter, nullptr));
    const Ref iterator = Ref::own(std::exchange(arrival->iterator, nullptr));
    type->tp_free(self);
    Py_DECREF(type);
}

PyMethodDef arrival_methods[] = {{"send", arrival_send, METH_O, nullptr},
                                 {"throw", as_function(arrival_throw), METH_FASTCALL, nullptr},
                                 {"close", arrival_close, METH_NOARGS, nullptr},
                                 {"_park", arrival_park, METH_O, nullptr},
                                 {nullptr, nullptr, 0, nullptr}};

PyGetSetDef arrival_members[] = {{"_job", arrival_job, nullptr, "The job that stands in line.", nullptr},
                                 {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot arrival_slots[] = {{Py_tp_doc, const_cast<char*>("What a call of pool.submit() awaits.")},
                               {Py_tp_new, as_slot(arrival_new)},
                               {Py_tp_dealloc, as_slot(arrival_dealloc)},
                               {Py_tp_traverse, as_slot(arrival_traverse)},
                               {Py_tp_clear, as_slot(arrival_clear)},
                               {Py_tp_finalize, as_slot(arrival_finalize)},
                               {Py_am_await, as_slot(PyObject_SelfIter)},
                               {Py_tp_iter, as_slot(PyObject_SelfIter)},
                               {Py_tp_iternext, as_slot(arrival_next)},
#if PY_VERSION_HEX >= 0x030A0000
                               {Py_am_send, as_slot(arrival_am_send)},
#endif
                               {Py_tp_methods, arrival_methods},
                               {Py_tp_getset, arrival_members},
                               {0, nullptr}};

}  // namespace

PyTypeObject* make_arrival_type(State*) noexcept {
    PyType_Spec spec = {"nb_aiopool._core.Arrival", static_cast<int>(sizeof(Arrival)), 0,
                        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | immutable_type, arrival_slots};
    return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
}

Ref job_of_arrival(PyObject* arrival) noexcept { return Ref::share(arrival_of(arrival)->job); }

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

bool is_thread(PyObject* waiter) noexcept { return parking_of(waiter) != nullptr; }

bool wake_thread(PyObject* waiter) noexcept {
    Parking* parking = parking_of(waiter);
    if (parking != nullptr) parking->wake();
    return parking != nullptr;
}

Ref new_arrival(PoolObject* pool, PyObject* job, PyObject* waiter) noexcept {
    PyTypeObject* type = pool->state->arrival_type;
    Ref self = Ref::own(type->tp_alloc(type, 0));
    if (!self) return self;
    Arrival* arrival = arrival_of(self.get());
    arrival->pool = share(pool);
    arrival->job = new_ref(job);
    arrival->answer = new_ref(answer_of(job));
    arrival->waiter = new_ref(waiter);
    return self;
}

}  // namespace nbaio
