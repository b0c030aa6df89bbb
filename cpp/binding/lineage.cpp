#include "binding/lineage.hpp"

#include <utility>

#include "binding/pool.hpp"

namespace nbaio {
namespace {

/// Ancestors that have ended are let go of, so that a job that submits the next one, and so on for ever, leaves no
/// chain behind.
void forget_ended(Lineage* lineage) noexcept {
    while (lineage->parent != nullptr && lineage->parent->holder == nullptr) {
        Lineage* ended = lineage->parent;
        lineage->parent = ended->parent != nullptr ? share(ended->parent) : nullptr;
        Py_DECREF(as_object(ended));
    }
}

/// Step by step: a chain may be as long as nested work is deep, too long for the stack.
void lineage_dealloc(PyObject* self) noexcept {
    PyTypeObject* type = Py_TYPE(self);
    PyObject* next = as_object(std::exchange(reinterpret_cast<Lineage*>(self)->parent, nullptr));
    PyObject_Del(self);
    Py_DECREF(type);
    while (next != nullptr && Py_REFCNT(next) == 1) {
        PyObject* parent = as_object(std::exchange(reinterpret_cast<Lineage*>(next)->parent, nullptr));
        Py_DECREF(next);
        next = parent;
    }
    Py_XDECREF(next);
}

PyType_Slot lineage_slots[] = {{Py_tp_doc, const_cast<char*>("Which job of a pool the code works for.")},
                               {Py_tp_dealloc, as_slot(lineage_dealloc)},
                               {0, nullptr}};

}  // namespace

PyTypeObject* make_lineage_type(State*) noexcept {
    PyType_Spec spec = {"nb_aiopool._core.Lineage", static_cast<int>(sizeof(Lineage)), 0,
                        Py_TPFLAGS_DEFAULT | immutable_type, lineage_slots};
    PyObject* type = PyType_FromSpec(&spec);
    if (type != nullptr) reinterpret_cast<PyTypeObject*>(type)->tp_new = nullptr;  // made by the pool alone
    return reinterpret_cast<PyTypeObject*>(type);
}

LineageRef current_lineage(State* state) noexcept {
    PyObject* value = nullptr;
    if (PyContextVar_Get(state->lineage_variable.get(), nullptr, &value) < 0) PyErr_Clear();
    return LineageRef(reinterpret_cast<Lineage*>(value));
}

LineageRef lineage_in(State* state, PyObject* context) noexcept {
    PyObject* variable = state->lineage_variable.get();
    PyObject* value = nullptr;
    // To ask first is cheaper than a KeyError.
    if (PySequence_Contains(context, variable) == 1) value = PyObject_GetItem(context, variable);
    PyErr_Clear();
    return LineageRef(reinterpret_cast<Lineage*>(value));
}

Lineage* enter_lineage(State* state, PoolObject* pool, Entry* holder) noexcept {
    LineageRef parent = current_lineage(state);
    Lineage* own = PyObject_New(Lineage, state->lineage_type);
    if (own == nullptr) return nullptr;
    own->pool = pool;
    own->holder = holder;
    own->parent = reinterpret_cast<Lineage*>(parent.object.release());
    own->first_want = own->last_want = nullptr;
    own->gathering = nullptr;
    own->looked_at = 0;
    own->patience = 0;
    own->ended_before = 0;
    own->trusted = false;
    {
        const Exclusive exclusive(state->lineage_variable.get());
        if (own->parent != nullptr) forget_ended(own->parent);
        forget_ended(own);
    }
    Ref token = Ref::own(PyContextVar_Set(state->lineage_variable.get(), as_object(own)));
    if (token) return own;
    Py_DECREF(as_object(own));
    return nullptr;
}

Entry* end_lineage(Lineage* own) noexcept {
    {
        const Exclusive exclusive(own->pool->state->lineage_variable.get());
        own->holder = nullptr;
    }
    Lineage* heir = own->first_want != nullptr ? nearest_lineage(own->parent, own->pool, nullptr) : nullptr;
    while (Want* want = own->first_want) {
        drop_want(*want);
        if (heir != nullptr) add_want(heir, *want);
    }
    Py_DECREF(as_object(own));
    return heir != nullptr ? heir->holder : nullptr;
}

Lineage* nearest_lineage(Lineage* from, const PoolObject* pool, const Entry* except) noexcept {
    // The jobs of a lineage may be at home in several threads.
    const Exclusive exclusive(from != nullptr ? pool->state->lineage_variable.get() : nullptr);
    for (Lineage* it = from; it != nullptr; it = it->parent) {
        if (it->holder != nullptr && it->holder != except && it->pool == pool) return it;
    }
    return nullptr;
}

void add_want(Lineage* lineage, Want& want) noexcept {
    want.of = lineage;
    want.prev = lineage->last_want;
    want.next = nullptr;
    (want.prev != nullptr ? want.prev->next : lineage->first_want) = &want;
    lineage->last_want = &want;
}

void drop_want(Want& want) noexcept {
    if (want.of == nullptr) return;
    (want.prev != nullptr ? want.prev->next : want.of->first_want) = want.next;
    (want.next != nullptr ? want.next->prev : want.of->last_want) = want.prev;
    want.prev = want.next = nullptr;
    want.of = nullptr;
}

}  // namespace nbaio
