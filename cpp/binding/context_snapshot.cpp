#include "binding/context_snapshot.hpp"

#include <utility>

#include "binding/context_variables.hpp"

namespace nbaio {

ContextSnapshot::Taken ContextSnapshot::take(const State* state) noexcept {
    const Py_ssize_t offset = state->context_variables_offset;
    if (offset == 0) return {PyContext_CopyCurrent(), false};
    PyObject* current = PyThreadState_Get()->context;  // null: nothing was ever set in this thread
    if (current != nullptr && context_ && variables_of(current, offset) == variables_of(context_.get(), offset)) {
        return {new_ref(context_.get()), true};
    }
    Ref copy = Ref::own(PyContext_CopyCurrent());
    const Taken taken{new_ref(copy.get()), true};
    context_ = std::move(copy);  // to let go of the old one is to run any code, which may take or drop another
    return taken;
}

}  // namespace nbaio
