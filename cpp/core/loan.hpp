// Who has whose slot: a chain of entries, each of which lent its slot to the next.
#pragma once

#include <cassert>

#include "core/entry.hpp"

namespace nbaio {

/// Requires: both have a place for their loans; the lender has no borrower, the borrower no lender.
inline void make_loan(Entry& lender, Entry& borrower) noexcept {
    assert(lender.loan != nullptr && borrower.loan != nullptr);
    lender.loan->borrower = &borrower;
    borrower.loan->lender = &lender;
}

inline void forget_borrower(Entry& lender) noexcept {
    Entry* borrower = lender.borrower();
    if (borrower == nullptr) return;
    borrower->loan->lender = nullptr;
    lender.loan->borrower = nullptr;
}

inline void forget_lender(Entry& borrower) noexcept {
    if (Entry* lender = borrower.lender()) forget_borrower(*lender);
}

/// Takes an entry out of its chain. Guarantees: its lender is the lender of its borrower now.
inline void leave_chain(Entry& entry) noexcept {
    Entry* lender = entry.lender();
    Entry* borrower = entry.borrower();
    forget_lender(entry);
    forget_borrower(entry);
    if (lender != nullptr && borrower != nullptr) make_loan(*lender, *borrower);
}

}  // namespace nbaio
