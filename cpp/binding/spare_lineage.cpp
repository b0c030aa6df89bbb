#include "binding/spare_lineage.hpp"

#include <utility>

#include "binding/context_variables.hpp"

namespace nbaio {

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
