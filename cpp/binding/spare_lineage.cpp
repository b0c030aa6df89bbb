#include "binding/spare_lineage.hpp"

#include <cstring>
#include <utility>

namespace nbaio {
namespace {

PyObject*& variables_of(PyObject* context, Py_ssize_t offset) noexcept {
    return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(context) + offset);
}

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

Lineage* SpareLineage::reuse(SpareLineage& kept, const State* state, PyObject* context, Entry* holder) noexcept {
    const Py_ssize_t offset = state->context_variables_offset;
    if (!kept.lineage_ || variables_of(context, offset) != kept.before_.get()) return nullptr;
    before_ = std::move(kept.before_);
    after_ = std::move(kept.after_);
    lineage_ = std::move(kept.lineage_);
    variables_of(context, offset) = new_ref(after_.get());
    Py_DECREF(before_.get());  // the context's reference; ours keeps it alive
    auto* lineage = reinterpret_cast<Lineage*>(lineage_.get());
    lineage->holder = holder;
    return share(lineage);
}

Lineage* SpareLineage::make(State* state, PoolObject* pool, PyObject* context, Entry* holder) noexcept {
    const Py_ssize_t offset = state->context_variables_offset;
    if (offset != 0) before_ = Ref::share(variables_of(context, offset));
    if (PyContext_Enter(context) < 0) return nullptr;
    Lineage* lineage = enter_lineage(state, pool, holder);
    {
        RaisedAside aside;
        if (PyContext_Exit(context) < 0) PyErr_Clear();
    }
    if (offset != 0 && lineage != nullptr) {
        after_ = Ref::share(variables_of(context, offset));
        lineage_ = Ref::share(as_object(lineage));
    }
    return lineage;
}

Lineage* SpareLineage::begin(SpareLineage& kept, State* state, PoolObject* pool, PyObject* context,
                             Entry* holder) noexcept {
    Lineage* lineage = reuse(kept, state, context, holder);
    return lineage != nullptr ? lineage : make(state, pool, context, holder);
}

void SpareLineage::keep(SpareLineage& kept, const State* state, PyObject* context) noexcept {
    if (!lineage_ || kept.lineage_) return;
    PyObject*& variables = variables_of(context, state->context_variables_offset);
    const auto* lineage = reinterpret_cast<const Lineage*>(lineage_.get());
    // The context and this have the variables; they and this have the lineage.
    if (lineage->holder != nullptr || variables != after_.get() || Py_REFCNT(after_.get()) != 2 ||
        Py_REFCNT(lineage_.get()) != 2) {
        return;
    }
    Py_DECREF(after_.get());
    variables = new_ref(before_.get());
    kept = std::move(*this);
}

void SpareLineage::drop() noexcept {
    before_.reset();
    after_.reset();
    lineage_.reset();
}

int SpareLineage::traverse(visitproc visit, void* arg) const noexcept {
    Py_VISIT(before_.get());
    Py_VISIT(after_.get());
    return 0;
}

}  // namespace nbaio
