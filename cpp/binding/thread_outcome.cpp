#include "binding/thread_outcome.hpp"

#include <algorithm>
#include <new>

#include "binding/state.hpp"

namespace nbaio {
namespace {

/// The fields of a concurrent.futures.Future that its own methods, and functions like wait(), read and write; and who
/// sleeps until it is settled. Where there is no GIL, whoever touches them holds the object.
struct ThreadOutcome {
    // clang-format off
    PyObject_HEAD
    // clang-format on
    PyObject* state;  // null: pending
    PyObject* result;
    PyObject* exception;
    PyObject* job;
    Bells sleepers;
    bool ended;
    bool looked_at;  // there is, or will be, a condition
};

ThreadOutcome* outcome_of(PyObject* self) noexcept { return reinterpret_cast<ThreadOutcome*>(self); }

template <PyObject* ThreadOutcome::* field>
PyObject* get_field(PyObject* self, void*) noexcept {
    const Exclusive exclusive(self);
    PyObject* value = outcome_of(self)->*field;
    return new_ref(value != nullptr ? value : Py_None);
}

template <PyObject* ThreadOutcome::* field>
int set_field(PyObject* self, PyObject* value, void*) noexcept {
    Ref old;  // goes after the object was let go of
    const Exclusive exclusive(self);
    old = Ref::own(std::exchange(outcome_of(self)->*field, new_ref(value)));
    return 0;
}

PyObject* get_state(PyObject* self, void*) noexcept {
    const Exclusive exclusive(self);
    PyObject* state = outcome_of(self)->state;
    return state != nullptr ? new_ref(state) : PyUnicode_InternFromString("PENDING");
}

int set_state(PyObject* self, PyObject* state, void*) noexcept {
    if (state == nullptr || PyUnicode_Check(state) == 0) {
        PyErr_SetString(PyExc_TypeError, "_state must be a str");
        return -1;
    }
    const bool is_open = PyUnicode_CompareWithASCIIString(state, "PENDING") == 0 ||
                         PyUnicode_CompareWithASCIIString(state, "RUNNING") == 0;
    Ref old;
    const Exclusive exclusive(self);
    old = Ref::own(std::exchange(outcome_of(self)->state, new_ref(state)));
    outcome_of(self)->ended = !is_open;
    return 0;
}

PyObject* get_ended(PyObject* self, void*) noexcept {
    const Exclusive exclusive(self);
    return PyBool_FromLong(outcome_of(self)->ended);
}

PyObject* outcome_look(PyObject* self, PyObject*) noexcept {
    const Exclusive exclusive(self);
    outcome_of(self)->looked_at = true;
    return new_none();
}

PyObject* outcome_ring(PyObject* self, PyObject*) noexcept {
    const Exclusive exclusive(self);
    outcome_of(self)->sleepers.ring();
    return new_none();
}

/// Waits until it is settled, for so many seconds at most; or less, if a signal comes, or may have come.
/// Guarantees: whether it is settled; or null with what the signal's handler has raised set.
PyObject* outcome_wait(PyObject* self, PyObject* seconds) noexcept {
    const double time = PyFloat_AsDouble(seconds);
    if (time == -1.0 && PyErr_Occurred() != nullptr) return nullptr;
    const Exclusive exclusive(self);
    ThreadOutcome* outcome = outcome_of(self);
    if (!outcome->ended) {
        const BellRef bell = BellRef::make();
        if (!bell) return PyErr_NoMemory();
        outcome->sleepers.add(bell);
        const Bell::Woken woken = bell->wait(time > 0.0 ? std::min(time, 3600.0) : 0.0);  // not for NaN
        outcome->sleepers.remove(bell.get());
        if (woken == Bell::Woken::interrupted && PyErr_CheckSignals() < 0) return nullptr;
    }
    return PyBool_FromLong(outcome->ended);
}

int outcome_init(PyObject* self, PyObject* args, PyObject* keywords) noexcept {
    if (PyTuple_GET_SIZE(args) == 0 && (keywords == nullptr || PyDict_GET_SIZE(keywords) == 0)) return 0;
    PyErr_Format(PyExc_TypeError, "%.200s() takes no arguments", Py_TYPE(self)->tp_name);
    return -1;
}

int outcome_traverse(PyObject* self, visitproc visit, void* arg) noexcept {
    ThreadOutcome* outcome = outcome_of(self);
    Py_VISIT(outcome->state);
    Py_VISIT(outcome->result);
    Py_VISIT(outcome->exception);
    Py_VISIT(outcome->job);
    if (instances_visit_their_type) Py_VISIT(Py_TYPE(self));
    return 0;
}

int outcome_clear(PyObject* self) noexcept {
    ThreadOutcome* outcome = outcome_of(self);
    Py_CLEAR(outcome->result);
    Py_CLEAR(outcome->exception);
    Py_CLEAR(outcome->job);
    return 0;
}

void outcome_dealloc(PyObject* self) noexcept {
    PyObject_GC_UnTrack(self);
    PyTypeObject* type = Py_TYPE(self);
    outcome_clear(self);
    ThreadOutcome* outcome = outcome_of(self);
    Py_CLEAR(outcome->state);
    outcome->sleepers.~Bells();
    type->tp_free(self);
    Py_DECREF(type);
}

PyMethodDef outcome_methods[] = {
    {"_look", outcome_look, METH_NOARGS,
     "_look($self, /)\n--\n\nHave Python code settle it, since somebody needs its condition."},
    {"_ring", outcome_ring, METH_NOARGS, "_ring($self, /)\n--\n\nWake whoever sleeps until it is settled."},
    {"_wait", outcome_wait, METH_O,
     "_wait($self, seconds, /)\n--\n\nWait until it is settled, or so long, or less. Return whether it is."},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef outcome_members[] = {
    {"_state", get_state, set_state, "As in concurrent.futures.Future.", nullptr},
    {"_result", get_field<&ThreadOutcome::result>, set_field<&ThreadOutcome::result>,
     "As in concurrent.futures.Future.", nullptr},
    {"_exception", get_field<&ThreadOutcome::exception>, set_field<&ThreadOutcome::exception>,
     "As in concurrent.futures.Future.", nullptr},
    {"_job", get_field<&ThreadOutcome::job>, set_field<&ThreadOutcome::job>, "The job, until it has ended.", nullptr},
    {"_ended", get_ended, nullptr, "Whether it is settled, or cancelled.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot outcome_slots[] = {{Py_tp_doc, const_cast<char*>("The native side of a thread's future.")},
                               {Py_tp_init, as_slot(outcome_init)},
                               {Py_tp_dealloc, as_slot(outcome_dealloc)},
                               {Py_tp_traverse, as_slot(outcome_traverse)},
                               {Py_tp_clear, as_slot(outcome_clear)},
                               {Py_tp_methods, outcome_methods},
                               {Py_tp_getset, outcome_members},
                               {0, nullptr}};

}  // namespace

PyTypeObject* make_thread_outcome_type(State*) noexcept {
    PyType_Spec spec = {"nb_aiopool._core.ThreadOutcome", static_cast<int>(sizeof(ThreadOutcome)), 0,
                        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | immutable_type, outcome_slots};
    return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
}

bool is_thread_outcome(State* state, PyObject* object) noexcept {
    return PyObject_TypeCheck(object, state->thread_outcome_type) != 0;
}

void set_job_of_outcome(PyObject* outcome, PyObject* job) noexcept {
    set_field<&ThreadOutcome::job>(outcome, job, nullptr);
}

bool settle_outcome(State* state, PyObject* self, PyObject* result, Bells& bells) noexcept {
    ThreadOutcome* outcome = outcome_of(self);
    Ref job, old_result, old_state;
    const Exclusive exclusive(self);
    if (outcome->looked_at || outcome->ended) return false;
    job = Ref::own(std::exchange(outcome->job, nullptr));
    old_result = Ref::own(std::exchange(outcome->result, new_ref(result)));
    old_state = Ref::own(std::exchange(outcome->state, new_ref(state->finished.get())));
    outcome->ended = true;
    bells.take(outcome->sleepers);
    return true;
}

}  // namespace nbaio
