#include "binding/state.hpp"

#include "binding/arrival.hpp"
#include "binding/batch.hpp"
#include "binding/context_variables.hpp"
#include "binding/job.hpp"
#include "binding/lineage.hpp"
#include "binding/pool.hpp"
#include "binding/thread_outcome.hpp"
#include "binding/turn.hpp"

namespace nbaio {
namespace {

bool import_into(Ref& target, const char* module_name, const char* attribute) noexcept {
    Ref module = Ref::own(PyImport_ImportModule(module_name));
    if (!module) return false;
    target = Ref::own(PyObject_GetAttrString(module.get(), attribute));
    return static_cast<bool>(target);
}

bool intern_into(Ref& target, const char* text) noexcept {
    target = Ref::own(PyUnicode_InternFromString(text));
    return static_cast<bool>(target);
}

bool attribute_into(Ref& target, PyObject* object, const char* attribute) noexcept {
    target = Ref::own(PyObject_GetAttrString(object, attribute));
    return static_cast<bool>(target);
}

bool load_names(State& s) noexcept {
    return intern_into(s.add_done_callback, "add_done_callback") && intern_into(s.append, "append") &&
           intern_into(s.call_exception_handler, "call_exception_handler") && intern_into(s.call_soon, "call_soon") &&
           intern_into(s.call_later, "call_later") && intern_into(s.children, "_children") &&
           intern_into(s.call_soon_threadsafe, "call_soon_threadsafe") && intern_into(s.cancel, "cancel") &&
           intern_into(s.cancelled, "cancelled") && intern_into(s.close, "close") &&
           intern_into(s.create_future, "create_future") && intern_into(s.done, "done") &&
           intern_into(s.exception, "exception") && intern_into(s.future_blocking, "_asyncio_future_blocking") &&
           intern_into(s.get_debug, "get_debug") && intern_into(s.get_loop, "get_loop") &&
           intern_into(s.is_closed, "is_closed") && intern_into(s.log_traceback, "_log_traceback") &&
           intern_into(s.loop, "loop") && intern_into(s.private_loop, "_loop") && intern_into(s.finished, "FINISHED") &&
           intern_into(s.popleft, "popleft") && intern_into(s.ready, "_ready") &&
           intern_into(s.thread_cancelled, "_job_cancelled") && intern_into(s.thread_failed, "_job_failed") &&
           intern_into(s.thread_mark, "nb_aiopool.mark") && intern_into(s.thread_succeeded, "_job_succeeded") &&
           intern_into(s.result, "result") && intern_into(s.remove_done_callback, "remove_done_callback") &&
           intern_into(s.running_loop_note, "__asyncio_running_event_loop__") && intern_into(s.send, "send") &&
           intern_into(s.set_exception, "set_exception") && intern_into(s.set_result, "set_result") &&
           intern_into(s.task_factory, "_task_factory") && intern_into(s.throw_name, "throw");
}

bool load_keywords(State& s) noexcept {
    s.context_keyword = Ref::own(Py_BuildValue("(s)", "context"));
    s.message_keyword = Ref::own(Py_BuildValue("(s)", "msg"));
    s.empty_tuple = Ref::own(PyTuple_New(0));
    return s.context_keyword && s.message_keyword && s.empty_tuple;
}

bool load_asyncio(State& s) noexcept {
    // The C versions, whatever a program may have put in place of asyncio's names.
    Ref future;
    if (!import_into(future, "_asyncio", "Future")) return false;
    s.future_type = reinterpret_cast<PyTypeObject*>(future.get());
    if (!attribute_into(s.future_add_done_callback, future.get(), "add_done_callback") ||
        !attribute_into(s.future_set_result, future.get(), "set_result") ||
        !attribute_into(s.future_set_exception, future.get(), "set_exception") ||
        !attribute_into(s.future_cancel, future.get(), "cancel") ||
        !attribute_into(s.future_result, future.get(), "result") ||
#if PY_VERSION_HEX >= 0x03090000
        !attribute_into(s.future_cancelled_error, future.get(), "_make_cancelled_error") ||
#endif
        !attribute_into(s.future_exception, future.get(), "exception")) {
        return false;
    }
    static_cast<void>(future.release());  // kept for as long as the state, through future_type
    return import_into(s.task_type, "_asyncio", "Task") &&
           import_into(s.get_running_loop, "_asyncio", "_get_running_loop") &&
           import_into(s.register_task, "_asyncio", "_register_task") &&
           import_into(s.unregister_task, "_asyncio", "_unregister_task") &&
#if NBAIO_HAS_TASK_DICT
           import_into(s.current_tasks, "_asyncio", "_current_tasks") &&
#else
           import_into(s.swap_current_task, "_asyncio", "_swap_current_task") &&
#endif
           import_into(s.gathering_type, "asyncio.tasks", "_GatheringFuture") &&
           import_into(s.current_task, "asyncio", "current_task") &&
           import_into(s.cancelled_error, "asyncio", "CancelledError") &&
           import_into(s.invalid_state_error, "asyncio", "InvalidStateError");
}

bool load_package(State& s) noexcept {
    return import_into(s.coroutine_abc, "collections.abc", "Coroutine") &&
           import_into(s.deque_type, "collections", "deque") &&
           import_into(s.pool_full, "nb_aiopool.errors", "PoolFull") &&
           import_into(s.pool_stopped, "nb_aiopool.errors", "PoolStopped") &&
           import_into(s.wrap_awaitable, "nb_aiopool._awaitable", "wrap") &&
           import_into(s.await_after_raising, "nb_aiopool._awaitable", "await_after_raising") &&
           import_into(s.make_guard, "nb_aiopool._guard", "watch") &&
           import_into(s.describe_job, "nb_aiopool._inspection", "describe") &&
           import_into(s.job_stack, "nb_aiopool._inspection", "get_stack") &&
           import_into(s.print_job_stack, "nb_aiopool._inspection", "print_stack") &&
           import_into(s.new_loop_ended_error, "nb_aiopool.errors", "new_loop_ended_error") &&
           import_into(s.new_loop_ends_error, "nb_aiopool.errors", "new_loop_ends_error") &&
           import_into(s.new_batch_waiter, "nb_aiopool._batch_waiter", "BatchWaiter") &&
           import_into(s.leads_to, "nb_aiopool._nesting", "leads_to");
}

}  // namespace

State::~State() { Py_XDECREF(future_type); }

bool State::load() noexcept {
    lineage_variable = Ref::own(PyContextVar_New("nb_aiopool.job", nullptr));
    if (!lineage_variable) return false;
    context_variables_offset = find_variables_offset(this);
    return load_names(*this) && load_keywords(*this) && load_asyncio(*this) && load_package(*this);
}

bool add_types(State* state, PyObject* module, PyObject* owner) noexcept {
    state->lineage_type = make_lineage_type(state);
    state->turn_type = make_turn_type(state);
    state->arrival_type = make_arrival_type(state);
    state->batch_type = make_batch_type(state);
    state->job_type = make_job_type(state);
    state->thread_outcome_type = make_thread_outcome_type(state);
    state->pool_type = make_pool_type(state);
    const struct {
        const char* name;
        PyTypeObject* type;
    } types[] = {{"Lineage", state->lineage_type},
                 {"Turn", state->turn_type},
                 {"Arrival", state->arrival_type},
                 {"Batch", state->batch_type},
                 {"Job", state->job_type},
                 {"Pool", state->pool_type},
                 {"ThreadOutcome", state->thread_outcome_type}};
    for (const auto& entry : types) {
        if (entry.type == nullptr) return false;
        auto* object = reinterpret_cast<PyObject*>(entry.type);
        // Whoever holds a type, or an instance of it, holds the state.
        if (PyDict_SetItemString(entry.type->tp_dict, "_nb_aiopool_state", owner) < 0) return false;
        PyType_Modified(entry.type);
        // What cannot be made immutable may lose the attribute again, by `del`: then the state lives for ever.
        if (immutable_type == 0) Py_INCREF(owner);
        // The state refers to its types without owning them: they own it.
        Ref owned = Ref::own(object);
        if (PyObject_SetAttrString(module, entry.name, object) < 0) return false;
    }
    return true;
}

}  // namespace nbaio
