#include "binding/context_variables.hpp"

#include <cstring>
#include <utility>

#include "binding/state.hpp"

namespace nbaio {
namespace {

#ifndef Py_GIL_DISABLED
/// A context with the variable set to itself; null if that fails.
Ref make_context_with(PyObject* variable) noexcept {
    Ref context = Ref::own(PyContext_New());
    if (!context || PyContext_Enter(context.get()) < 0) return Ref();
    const Ref token = Ref::own(PyContextVar_Set(variable, variable));
    if (PyContext_Exit(context.get()) < 0 || !token) return Ref();
    return context;
}
#endif

}  // namespace

Py_ssize_t find_variables_offset(State* state) noexcept {
#ifdef Py_GIL_DISABLED
    static_cast<void>(state);
    return 0;  // whether an object is shared cannot be told from its reference count
#else
    PyObject* variable = state->lineage_variable.get();
    const Ref context = make_context_with(variable);
    const Ref copy = context ? Ref::own(PyContext_Copy(context.get())) : Ref();
    const Ref other = Ref::own(PyContext_New());
    Py_ssize_t found = 0;
    constexpr Py_ssize_t word_size = sizeof(PyObject*);
    for (Py_ssize_t at = sizeof(PyObject); copy && other && at + word_size <= PyContext_Type.tp_basicsize;
         at += word_size) {
        PyObject* shared = variables_of(context.get(), at);
        if (shared == nullptr || shared != variables_of(copy.get(), at)) continue;
        if (std::strcmp(Py_TYPE(shared)->tp_name, "hamt") != 0) return 0;
        found = at;
        break;  // what comes behind need not be a pointer, and may be the same by chance
    }
    if (found != 0) {
        std::swap(variables_of(context.get(), found), variables_of(other.get(), found));
        if (PySequence_Contains(other.get(), variable) != 1 || PySequence_Contains(context.get(), variable) != 0) {
            found = 0;
        }
    }
    PyErr_Clear();
    return found;
#endif
}

}  // namespace nbaio
