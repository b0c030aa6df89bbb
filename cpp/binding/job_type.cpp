// The type Job: its life from allocation to deallocation, and what Python sees of it. It is made in job_making.cpp, the steps
// are in job_step.cpp.
#include "binding/job.hpp"

#include "binding/lending.hpp"
#include "binding/pool.hpp"
#include "binding/wanted_work.hpp"

namespace nbaio {
namespace {

PyObject* or_none(PyObject* object) noexcept { return new_ref(object != nullptr ? object : Py_None); }

// -- Memory --------------------------------------------------------------------------------------------------------

PyObject* job_new(PyTypeObject*, PyObject*, PyObject*) noexcept {
    PyErr_SetString(PyExc_TypeError, "a Job is made by its pool: use pool.submit(coro)");
    return nullptr;
}

int job_init(PyObject*, PyObject*, PyObject*) noexcept {
    PyErr_SetString(PyExc_TypeError, "a Job cannot be initialised again");
    return -1;
}

void clear_details(Job* job) noexcept {
    job->take(&JobDetails::waits_on).reset();
    job->take(&JobDetails::thrown).reset();
    job->take(&JobDetails::sink).reset();
    job->take(&JobDetails::name).reset();
    job->take(&JobDetails::cancel_message).reset();
    take_slot_waiter(job->entry).reset();
}

int job_traverse(PyObject* self, visitproc visit, void* arg) noexcept {
    Job* job = job_of(self);
    Py_VISIT(as_object(job->pool()));
    Py_VISIT(job->coro);
    Py_VISIT(job->context);
    const JobDetails& seen = job->seen();
    Py_VISIT(seen.waits_on);
    Py_VISIT(seen.thrown);
    Py_VISIT(seen.sink);
    Py_VISIT(seen.cancel_message);
    Py_VISIT(seen.dealings.slot_waiter);
    PyTypeObject* base = Py_TYPE(self)->tp_base;
    if (instances_visit_their_type && !(base->tp_flags & Py_TPFLAGS_HEAPTYPE)) Py_VISIT(Py_TYPE(self));
    return base->tp_traverse(self, visit, arg);
}

int job_clear(PyObject* self) noexcept {
    Job* job = job_of(self);
    Py_CLEAR(job->coro);
    Py_CLEAR(job->context);
    clear_details(job);
    // An entry that is linked needs its pool: it is unlinked by the pool's own clear, or by finalize.
    if (job->entry.place == Place::outside) const Ref pool = job->leave_pool();
    return Py_TYPE(self)->tp_base->tp_clear(self);
}

void job_dealloc(PyObject* self) noexcept {
    // First, with the job still whole: Future's own finalizer reports an exception that nobody retrieved.
    if (PyObject_CallFinalizerFromDealloc(self) < 0) return;
    PyTypeObject* type = Py_TYPE(self);
    PyTypeObject* base = type->tp_base;
    const bool base_is_static = !(base->tp_flags & Py_TPFLAGS_HEAPTYPE);
    PyObject_GC_UnTrack(self);
    Job* job = job_of(self);
    State* state = job->state();
    job->leave_pool().reset();
    Py_CLEAR(job->coro);
    Py_CLEAR(job->context);
    if (JobDetails* details = job->details()) {
        clear_details(job);
        drop_want(details->dealings.want);
        Py_CLEAR(details->dealings.lineage);
        job->entry.loan = nullptr;
        PyMem_Free(details);
    }
    PyObject_GC_Track(self);  // the base's dealloc untracks
    base->tp_dealloc(self);
    if (base_is_static) Py_DECREF(type);  // a base that is a heap type does it
    state->release();
}

#if NBAIO_KEEPS_JOB_MEMORY
/// What the base's dealloc calls last. The fields of the job are as job_dealloc has left them.
void job_free(void* self) noexcept { job_of(static_cast<PyObject*>(self))->state()->job_memory.release(self); }
#endif

// -- Methods -------------------------------------------------------------------------------------------------------

PyObject* job_cancel(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) noexcept {
    const JobExclusive exclusive(self);
    PyObject* message = Py_None;
    if (!parse_one("cancel", "msg", args, count, names, message)) return nullptr;
    const Ref pool = Ref::share(as_object(job_of(self)->pool()));
    auto* line_of = reinterpret_cast<PoolObject*>(pool.get());
    // Whoever cancels all tasks of a loop cancels the guard in the same turn, and nobody is to come in before that.
    const bool waited = line_of != nullptr && std::exchange(line_of->line_waits, true);
    const int answer = cancel_job(job_of(self), message);
    if (line_of != nullptr) line_of->line_waits = waited;
    return answer < 0 ? nullptr : PyBool_FromLong(answer);
}

PyObject* job_cancelling(PyObject* self, PyObject*) noexcept {
    const JobExclusive exclusive(self);
    return PyLong_FromUnsignedLong(job_of(self)->seen().cancels_requested);
}

PyObject* job_uncancel(PyObject* self, PyObject*) noexcept {
    const JobExclusive exclusive(self);
    Job* job = job_of(self);
    if (job->seen().cancels_requested > 0) {
        --job->details()->cancels_requested;
        if (job->seen().cancels_requested == 0) job->must_cancel = false;
    }
    return PyLong_FromUnsignedLong(job->seen().cancels_requested);
}

PyObject* job_add_done_callback(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) noexcept {
    const JobExclusive exclusive(self);
    constexpr Py_ssize_t most = 4;
    const Py_ssize_t all = count + (names != nullptr ? PyTuple_GET_SIZE(names) : 0);
    if (all > most) {
        PyErr_Format(PyExc_TypeError, "add_done_callback() takes one argument and context= (%zd given)", all);
        return nullptr;
    }
    PyObject* stack[most + 2] = {nullptr, self};
    for (Py_ssize_t i = 0; i < all; ++i) stack[i + 2] = args[i];
    Job* job = job_of(self);
    Ref added = Ref::own(vectorcall(job->state()->future_add_done_callback.get(), stack + 1,
                                    static_cast<std::size_t>(count) + 1, names));
    if (added) want_slot(job);  // somebody waits for it
    return added.release();
}

PyObject* job_get_coro(PyObject* self, PyObject*) noexcept { return or_none(job_of(self)->coro); }

PyObject* job_get_context(PyObject* self, PyObject*) noexcept {
    const JobExclusive exclusive(self);
    if (!own_context(job_of(self))) return nullptr;
    return or_none(job_of(self)->context);
}

PyObject* job_get_name(PyObject* self, PyObject*) noexcept {
    const JobExclusive exclusive(self);
    const Job* job = job_of(self);
    PyObject* name = job->seen().name;
    return name != nullptr ? new_ref(name)
                           : PyUnicode_FromFormat("Job-%llu", static_cast<unsigned long long>(job->number));
}

PyObject* job_set_name(PyObject* self, PyObject* name) noexcept {
    Ref text = Ref::own(PyObject_Str(name));
    if (!text) return nullptr;
    Job* job = job_of(self);
    Ref old;  // goes after the job was let go of
    const JobExclusive exclusive(self);
    if (!have_details(job)) return nullptr;
    old = Ref::own(std::exchange(job->details()->name, text.release()));
    return new_none();
}

/// Calls a function of the package's inspection module with the job and whatever else was passed.
PyObject* inspect_job(PyObject* function, PyObject* self, PyObject* args, PyObject* keywords) noexcept {
    Ref all = Ref::own(PyTuple_New(PyTuple_GET_SIZE(args) + 1));
    if (!all) return nullptr;
    PyTuple_SET_ITEM(all.get(), 0, new_ref(self));
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); ++i) {
        PyTuple_SET_ITEM(all.get(), i + 1, new_ref(PyTuple_GET_ITEM(args, i)));
    }
    return PyObject_Call(function, all.get(), keywords);
}

PyObject* job_get_stack(PyObject* self, PyObject* args, PyObject* keywords) noexcept {
    return inspect_job(job_of(self)->state()->job_stack.get(), self, args, keywords);
}

PyObject* job_print_stack(PyObject* self, PyObject* args, PyObject* keywords) noexcept {
    return inspect_job(job_of(self)->state()->print_job_stack.get(), self, args, keywords);
}

PyObject* job_set_result(PyObject*, PyObject*) noexcept {
    PyErr_SetString(PyExc_RuntimeError,
                    "Job does not support set_result operation: its result is what the coroutine returns");
    return nullptr;
}

PyObject* job_set_exception(PyObject*, PyObject*) noexcept {
    PyErr_SetString(PyExc_RuntimeError,
                    "Job does not support set_exception operation: its exception is what the coroutine raises");
    return nullptr;
}

// A job that was cancelled gives whoever asks first the very CancelledError that its coroutine ended with, traceback
// and all, as a Task does; then it lets go of it, for the traceback may lead back to the job.

/// Guarantees: the error, or null if there is none to give.
Ref take_cancelled_error(PyObject* self) noexcept {
    const Exclusive exclusive(self);
    Job* job = job_of(self);
    return job->entry.place == Place::outside ? job->take(&JobDetails::thrown) : Ref();
}

PyObject* job_result(PyObject* self, PyObject*) noexcept {
    Ref error = take_cancelled_error(self);
    if (!error) return call(job_of(self)->state()->future_result.get(), self).release();
    raise(std::move(error));
    return nullptr;
}

PyObject* job_exception(PyObject* self, PyObject*) noexcept {
    Ref error = take_cancelled_error(self);
    if (!error) return call(job_of(self)->state()->future_exception.get(), self).release();
    raise(std::move(error));
    return nullptr;
}

PyObject* job_make_cancelled_error(PyObject* self, PyObject*) noexcept {
    Ref error = take_cancelled_error(self);
    if (error) return error.release();
    State* state = job_of(self)->state();
    if (state->future_cancelled_error) return call(state->future_cancelled_error.get(), self).release();
    return new_cancelled_error(state, nullptr).release();
}

/// Whether there is nothing that the job waits for but a pass.
bool wants_a_pass(const Job* job) noexcept {
    return job->entry.place == Place::starting || job->entry.place == Place::ready || job->entry.place == Place::queued;
}

/// What a pass was made ahead for is about to be awaited. If it has awaited itself in that pass, which a Future remembers,
/// its awaiter would be told so.
void forget_self_await(PyObject* self) noexcept {
    if (PyObject_SetAttr(self, job_of(self)->state()->future_blocking.get(), Py_False) < 0) PyErr_Clear();
}

PyObject* job_iter(PyObject* self) noexcept {
    if (wants_a_pass(job_of(self))) {
        const Ref alive = Ref::share(self);
        const JobExclusive exclusive(self);
        if (job_of(self)->pool() != nullptr && !make_pass_ahead(job_of(self)->pool())) {
            const Ref interrupt = take_raised();
            return call(job_of(self)->state()->await_after_raising.get(), self, interrupt.get()).release();
        }
        if (has_begun(job_of(self)->entry)) forget_self_await(self);
    }
    Ref error = take_cancelled_error(self);
    if (!error) return Py_TYPE(self)->tp_base->tp_iter(self);
    raise(std::move(error));
    return nullptr;
}

PyObject* job_repr(PyObject* self) noexcept {
    const int entered = Py_ReprEnter(self);
    if (entered != 0) return entered > 0 ? PyUnicode_FromString("<Job ...>") : nullptr;
    Ref text = call(job_of(self)->state()->describe_job.get(), self);
    Py_ReprLeave(self);
    return text.release();
}

// -- Members -------------------------------------------------------------------------------------------------------

PyObject* job_coro_member(PyObject* self, void*) noexcept { return or_none(job_of(self)->coro); }

PyObject* job_fut_waiter(PyObject* self, void*) noexcept {
    const JobExclusive exclusive(self);
    Job* job = job_of(self);
    return or_none(is_under_way(job->entry) ? job->seen().waits_on : nullptr);
}

PyObject* job_must_cancel(PyObject* self, void*) noexcept { return PyBool_FromLong(job_of(self)->must_cancel); }

PyObject* job_cancels_requested(PyObject* self, void*) noexcept { return job_cancelling(self, nullptr); }

/// The futures of those who wait for a slot or a place of the pool, which the end of the job may give them.
PyObject* job_successors(PyObject* self, void*) noexcept {
    const JobExclusive exclusive(self);
    constexpr Py_ssize_t most = 100;
    Ref all = Ref::own(PyList_New(0));
    PoolObject* pool = job_of(self)->pool();
    if (pool == nullptr) return all.release();
    for (const Place place : {Place::line, Place::queued}) {
        for (Entry* entry = pool->admission.at(place).front(); all && entry != nullptr; entry = entry->next) {
            Job* job = job_of(*entry);
            PyObject* future = entry->place == Place::line && entry->keeps_place ? job->seen().waits_on : job->self();
            if (future != nullptr && PyList_Append(all.get(), future) < 0) return nullptr;
            if (PyList_GET_SIZE(all.get()) == most) return all.release();
        }
    }
    return all.release();
}

PyObject* job_given(PyObject* self, void*) noexcept {
    const JobExclusive exclusive(self);
    return or_none(job_of(self)->seen().sink);
}

PyObject* job_pool(PyObject* self, void*) noexcept {
    Ref pool = hold_pool_of(self);
    return pool ? pool.release() : new_none();
}

PyObject* job_place(PyObject* self, void*) noexcept {
    switch (job_of(self)->entry.place) {
        case Place::outside: return PyUnicode_FromString("outside");
        case Place::line:
        case Place::granted: return PyUnicode_FromString("waiting");
        case Place::queued: return PyUnicode_FromString("queued");
        case Place::starting:
        case Place::ready:
        case Place::running:
        case Place::lending:
        case Place::returning:
        case Place::repaid: break;
    }
    return PyUnicode_FromString("running");
}

PyMethodDef job_methods[] = {
    {"cancel", as_function(job_cancel), METH_FASTCALL | METH_KEYWORDS,
     "cancel($self, msg=None)\n--\n\nDrop the job if it has not begun, else raise CancelledError inside it at its "
     "await, as\n"
     "Task.cancel does. Return whether the job may still be cancelled by it."},
    {"add_done_callback", as_function(job_add_done_callback), METH_FASTCALL | METH_KEYWORDS,
     "add_done_callback($self, fn, /, *, context=None)\n--\n\nHave the function called when the job has ended."},
    {"cancelling", job_cancelling, METH_NOARGS,
     "cancelling($self)\n--\n\nReturn how many cancellations were requested and not taken back."},
    {"uncancel", job_uncancel, METH_NOARGS,
     "uncancel($self)\n--\n\nTake back one request to cancel; return how many are left."},
    {"get_coro", job_get_coro, METH_NOARGS, "get_coro($self)\n--\n\nReturn the coroutine that the job runs."},
    {"get_context", job_get_context, METH_NOARGS, "get_context($self)\n--\n\nReturn the context that the job runs in."},
    {"get_name", job_get_name, METH_NOARGS, "get_name($self)\n--\n\nReturn the name of the job."},
    {"set_name", job_set_name, METH_O, "set_name($self, value, /)\n--\n\nSet the name of the job."},
    {"get_stack", as_function(job_get_stack), METH_VARARGS | METH_KEYWORDS,
     "get_stack($self, *, limit=None)\n--\n\nReturn the stack frames of the job's coroutine, as Task.get_stack does."},
    {"print_stack", as_function(job_print_stack), METH_VARARGS | METH_KEYWORDS,
     "print_stack($self, *, limit=None, file=None)\n--\n\nPrint the job's stack or traceback, as Task.print_stack "
     "does."},
    {"result", job_result, METH_NOARGS,
     "result($self)\n--\n\nReturn the result, or raise the exception, that the job ended with."},
    {"exception", job_exception, METH_NOARGS,
     "exception($self)\n--\n\nReturn the exception that the job ended with, or None."},
    {"_make_cancelled_error", job_make_cancelled_error, METH_NOARGS, "_make_cancelled_error($self)\n--\n\n"},
    {"set_result", job_set_result, METH_O,
     "set_result($self, result, /)\n--\n\nRefused: a job gets its result from its coroutine."},
    {"set_exception", job_set_exception, METH_O,
     "set_exception($self, exception, /)\n--\n\nRefused: a job gets its exception from its coroutine."},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef job_members[] = {
    {"_coro", job_coro_member, nullptr, "The coroutine.", nullptr},
    {"_fut_waiter", job_fut_waiter, nullptr, "The future that the job waits for, if any.", nullptr},
    {"_must_cancel", job_must_cancel, nullptr, "Whether the next step raises CancelledError.", nullptr},
    {"_num_cancels_requested", job_cancels_requested, nullptr, "As cancelling().", nullptr},
    {"_given", job_given, nullptr, "The future= that gets the outcome as well.", nullptr},
    {"_successors", job_successors, nullptr, "The futures of those who wait for the pool of the job.", nullptr},
    {"_pool", job_pool, nullptr, "The pool, until the job has ended.", nullptr},
    {"_place", job_place, nullptr, "Where the job stands: outside, waiting, queued or running.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot job_slots[] = {{Py_tp_doc, const_cast<char*>("An asyncio.Future that runs a coroutine in a pool.")},
                           {Py_tp_new, as_slot(job_new)},
                           {Py_tp_init, as_slot(job_init)},
                           {Py_tp_dealloc, as_slot(job_dealloc)},
                           {Py_tp_traverse, as_slot(job_traverse)},
#if NBAIO_KEEPS_JOB_MEMORY
                           {Py_tp_free, as_slot(job_free)},
#endif
                           {Py_tp_clear, as_slot(job_clear)},
                           {Py_tp_repr, as_slot(job_repr)},
                           {Py_tp_iter, as_slot(job_iter)},
                           {Py_am_await, as_slot(job_iter)},
                           {Py_tp_methods, job_methods},
                           {Py_tp_getset, job_members},
                           {0, nullptr}};

}  // namespace

PyTypeObject* make_job_type(State* state) noexcept {
    constexpr Py_ssize_t alignment = alignof(Job);
    const Py_ssize_t base_size = state->future_type->tp_basicsize;
    const Py_ssize_t offset = (base_size + alignment - 1) / alignment * alignment;
    PyType_Spec spec = {"nb_aiopool._core.Job", static_cast<int>(offset + Py_ssize_t{sizeof(Job)}), 0,
                        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | immutable_type, job_slots};
    Ref bases = Ref::own(PyTuple_Pack(1, state->future_type));
    if (!bases) return nullptr;
    Job::offset.store(offset, std::memory_order_relaxed);
    return reinterpret_cast<PyTypeObject*>(PyType_FromSpecWithBases(&spec, bases.get()));
}

}  // namespace nbaio
