#include "binding/batch.hpp"

#include <structmember.h>

#include <cstddef>

#include "binding/arrival.hpp"
#include "binding/job.hpp"
#include "binding/offer.hpp"
#include "binding/pool.hpp"

namespace nbaio {
namespace {

struct Batch {
    // clang-format off
    PyObject_HEAD
    // clang-format on
    PoolObject* pool;  // owned
    PyObject* jobs;  // a list: all of them, in the order of the input; or, if there is `ready`, a set: those that go on
    PyObject* ready;    // where a job goes that has ended, something with append(); or null
    PyObject* waiter;   // the future of who waits; or null
    PyObject* failure;  // the first job that failed, or was cancelled; or null
    Py_ssize_t going_on;
    bool follow;         // whether the jobs tell of their ends
    bool first_failure;  // whether that is what is waited for
};

Batch* batch_of(PyObject* self) noexcept { return reinterpret_cast<Batch*>(self); }

// -- Drawing ------------------------------------------------------------------------------------------------------------

/// Guarantees: false with an exception set.
bool add(Batch* batch, PyObject* job) noexcept {
    return (batch->ready != nullptr ? PySet_Add(batch->jobs, job) : PyList_Append(batch->jobs, job)) == 0;
}

/// Offers one coroutine. Guarantees: None if it was accepted, an Arrival if there is no room; null with an exception set,
/// and the coroutine is closed.
Ref submit(Batch* batch, PyObject* coro) noexcept {
    auto* self = reinterpret_cast<PyObject*>(batch);
    Ref answer = Ref::own(offer_to_batch(batch->pool, coro, batch->follow ? self : nullptr));
    if (!answer) return answer;
    const bool waits = Py_TYPE(answer.get()) == batch->pool->state->arrival_type;
    const Ref job = waits ? job_of_arrival(answer.get()) : Ref::share(answer.get());
    const bool handed_out = batch->ready != nullptr && job_of(job.get())->seen().sink != self;  // it has ended already
    if (!handed_out && !add(batch, job.get())) {
        RaisedAside aside;
        if (cancel_job(job_of(job.get()), nullptr) < 0) PyErr_Clear();
        return Ref();
    }
    return waits ? std::move(answer) : Ref::share(Py_None);
}

PyObject* batch_submit(PyObject* self, PyObject* coro) noexcept {
    const Exclusive exclusive(as_object(batch_of(self)->pool));
    return submit(batch_of(self), coro).release();
}

PyObject* batch_draw(PyObject* self, PyObject* iterator) noexcept {
    const Exclusive exclusive(as_object(batch_of(self)->pool));
    if (PyIter_Check(iterator) == 0) {
        PyErr_Format(PyExc_TypeError, "an iterator is required, got %R", iterator);
        return nullptr;
    }
    while (const Ref coro = Ref::own(PyIter_Next(iterator))) {
        Ref answer = submit(batch_of(self), coro.get());
        if (answer.get() != Py_None) return answer.release();
    }
    return PyErr_Occurred() != nullptr ? nullptr : new_none();
}

// -- Waiting ------------------------------------------------------------------------------------------------------------

bool is_over(const Batch* batch) noexcept {
    return batch->going_on == 0 || (batch->first_failure && batch->failure != nullptr);
}

/// (first_failure): a future that is resolved when all jobs have ended, or the first has failed; None if that is so.
PyObject* batch_wait(PyObject* self, PyObject* first_failure) noexcept {
    Batch* batch = batch_of(self);
    const Exclusive exclusive(as_object(batch->pool));
    const int first = PyObject_IsTrue(first_failure);
    if (first < 0) return nullptr;
    batch->first_failure = first == 1;
    if (is_over(batch)) return new_none();
    State* state = batch->pool->state;
    Ref waiter = call(state->new_batch_waiter.get(), batch->pool->loop, batch->jobs);
    if (!waiter) return nullptr;
    Ref old = Ref::own(std::exchange(batch->waiter, new_ref(waiter.get())));
    return is_over(batch) ? new_none() : waiter.release();
}

/// (return_exceptions): what the jobs have ended with, in the order of the input; or the first failure is raised.
PyObject* batch_results(PyObject* self, PyObject* return_exceptions) noexcept {
    Batch* batch = batch_of(self);
    const Exclusive exclusive(as_object(batch->pool));
    State* state = batch->pool->state;
    const int all = PyObject_IsTrue(return_exceptions);
    if (all < 0) return nullptr;
    if (all == 0 && batch->failure != nullptr) {
        const Ref failure = Ref::own(std::exchange(batch->failure, nullptr));
        return call_method(failure.get(), state->result.get()).release();
    }
    if (!PyList_Check(batch->jobs)) {
        PyErr_SetString(PyExc_RuntimeError, "this batch has handed its jobs out one by one");
        return nullptr;
    }
    Ref results = Ref::own(PyList_New(0));
    for (Py_ssize_t i = 0; results && i < PyList_GET_SIZE(batch->jobs); ++i) {
        const Ref job = Ref::share(PyList_GET_ITEM(batch->jobs, i));
        Ref result = call_method(job.get(), state->result.get());
        if (!result && all == 1) result = take_raised();
        if (!result || PyList_Append(results.get(), result.get()) < 0) results.reset();
    }
    return results.release();
}

/// (queue, nothing): takes the first job out of a deque and returns its result, if it has one and the caller runs in the
/// pool's loop; else `nothing`.
PyObject* batch_take(PyObject* self, PyObject* const* args, Py_ssize_t count) noexcept {
    Batch* batch = batch_of(self);
    const Exclusive exclusive(as_object(batch->pool));
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "take() takes a queue and what to return if there is nothing");
        return nullptr;
    }
    State* state = batch->pool->state;
    const Py_ssize_t length = PyObject_Size(args[0]);
    if (length < 0) return nullptr;
    if (length == 0 || !on_own_loop(batch->pool)) return new_ref(args[1]);
    const Ref first = Ref::own(PySequence_GetItem(args[0], 0));
    if (!first) return nullptr;
    if (Py_TYPE(first.get()) != state->job_type || !job_of(first.get())->succeeded) return new_ref(args[1]);
    if (!call_method(args[0], state->popleft.get())) return nullptr;
    return call(state->future_result.get(), first.get()).release();
}

// -- The type -----------------------------------------------------------------------------------------------------------

/// All that a Batch needs comes with its making: there is none without a pool.
PyObject* batch_new(PyTypeObject* type, PyObject* args, PyObject* keywords) noexcept {
    static const char* names[] = {"pool", "follow", "ready", nullptr};
    PyObject *pool = nullptr, *ready = Py_None;
    int follow = 0;
    if (PyArg_ParseTupleAndKeywords(args, keywords, "Op|O:Batch", const_cast<char**>(names), &pool, &follow, &ready) ==
        0) {
        return nullptr;
    }
    Ref owner = Ref::own(PyObject_GetAttrString(as_object(type), "_nb_aiopool_state"));
    if (!owner) return nullptr;
    auto* state = static_cast<State*>(PyCapsule_GetPointer(owner.get(), State::capsule_name));
    if (state == nullptr) return nullptr;
    if (PyType_IsSubtype(Py_TYPE(pool), state->pool_type) == 0) {
        PyErr_Format(PyExc_TypeError, "a Pool is required, got %R", pool);
        return nullptr;
    }
    Ref jobs = Ref::own(ready != Py_None ? PySet_New(nullptr) : PyList_New(0));
    Ref self = jobs ? Ref::own(type->tp_alloc(type, 0)) : Ref();
    if (!self) return nullptr;
    Batch* batch = batch_of(self.get());
    batch->jobs = jobs.release();
    batch->ready = ready != Py_None ? new_ref(ready) : nullptr;
    batch->follow = follow != 0;
    batch->pool = share(reinterpret_cast<PoolObject*>(pool));
    return self.release();
}

int batch_traverse(PyObject* self, visitproc visit, void* arg) noexcept {
    Batch* batch = batch_of(self);
    Py_VISIT(as_object(batch->pool));
    Py_VISIT(batch->jobs);
    Py_VISIT(batch->ready);
    Py_VISIT(batch->waiter);
    Py_VISIT(batch->failure);
    if (instances_visit_their_type) Py_VISIT(Py_TYPE(self));
    return 0;
}

/// The pool and the list stay: whoever has the batch may still call it.
int batch_clear(PyObject* self) noexcept {
    Py_CLEAR(batch_of(self)->ready);
    Py_CLEAR(batch_of(self)->waiter);
    Py_CLEAR(batch_of(self)->failure);
    return 0;
}

void batch_dealloc(PyObject* self) noexcept {
    PyObject_GC_UnTrack(self);
    PyTypeObject* type = Py_TYPE(self);
    batch_clear(self);
    Py_CLEAR(batch_of(self)->jobs);
    const Ref pool = Ref::own(as_object(std::exchange(batch_of(self)->pool, nullptr)));
    type->tp_free(self);
    Py_DECREF(type);
}

PyObject* get_jobs(PyObject* self, void*) noexcept { return new_ref(batch_of(self)->jobs); }

PyMethodDef batch_methods[] = {
    {"submit", batch_submit, METH_O, "submit($self, coro, /)\n--\n\n"},
    {"draw", batch_draw, METH_O, "draw($self, iterator, /)\n--\n\n"},
    {"wait", batch_wait, METH_O, "wait($self, first_failure, /)\n--\n\n"},
    {"take", as_function(batch_take), METH_FASTCALL, "take($self, queue, nothing, /)\n--\n\n"},
    {"results", batch_results, METH_O, "results($self, return_exceptions, /)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef batch_members[] = {{"jobs", get_jobs, nullptr, "The jobs.", nullptr},
                               {nullptr, nullptr, nullptr, nullptr, nullptr}};

// A field, for whoever looks for what the end of a job leads to, see _nesting.py.
PyMemberDef batch_fields[] = {
    {"waiter", T_OBJECT, static_cast<Py_ssize_t>(offsetof(Batch, waiter)), 0, "The future of who waits, if anybody."},
    {nullptr, 0, 0, 0, nullptr}};

PyType_Slot batch_slots[] = {{Py_tp_doc, const_cast<char*>("Jobs that are submitted, and waited for, together.")},
                             {Py_tp_new, as_slot(batch_new)},
                             {Py_tp_dealloc, as_slot(batch_dealloc)},
                             {Py_tp_traverse, as_slot(batch_traverse)},
                             {Py_tp_clear, as_slot(batch_clear)},
                             {Py_tp_methods, batch_methods},
                             {Py_tp_getset, batch_members},
                             {Py_tp_members, batch_fields},
                             {0, nullptr}};

}  // namespace

PyTypeObject* make_batch_type(State*) noexcept {
    PyType_Spec spec = {"nb_aiopool._core.Batch", static_cast<int>(sizeof(Batch)), 0,
                        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | immutable_type, batch_slots};
    return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
}

void count_in_batch(Job* job) noexcept {
    PyObject* sink = job->seen().sink;
    if (sink != nullptr && job->sink_kind == SinkKind::batch) ++batch_of(sink)->going_on;
}

void tell_batch(PoolObject* pool, Job* job, Ending ending) noexcept {
    const Ref alive = Ref::share(job->seen().sink);
    Batch* batch = batch_of(alive.get());
    --batch->going_on;
    if (ending == Ending::failed && batch->failure == nullptr) batch->failure = new_ref(job->self());
    if (batch->ready != nullptr) {
        const Ref ready = Ref::share(batch->ready);
        if (PySet_Discard(batch->jobs, job->self()) < 0 ||
            (ending != Ending::refused && !call_method(ready.get(), pool->state->append.get(), job->self()))) {
            report(pool, "could not hand out the job of a map", job->self());
        }
    } else if (!is_over(batch)) {
        return;
    }
    const Ref waiter = Ref::own(std::exchange(batch->waiter, nullptr));
    if (waiter && waiter.get() != Py_None) wake_waiter(pool, waiter.get());
}

}  // namespace nbaio
