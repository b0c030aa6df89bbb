// Who has whose slot: a chain of entries, each of which lent its slot to the next.
#pragma once

#include "core/entry.hpp"

namespace nbaio {

/// Requires: the lender has no borrower, the borrower no lender.
inline void make_loan(Entry& lender, Entry& borrower) noexcept {
    lender.borrower = &borrower;
    borrower.lender = &lender;
}

inline void forget_borrower(Entry& lender) noexcept {
    if (lender.borrower != nullptr) lender.borrower->lender = nullptr;
    lender.borrower = nullptr;
}

inline void forget_lender(Entry& borrower) noexcept {
    if (borrower.lender != nullptr) borrower.lender->borrower = nullptr;
    borrower.lender = nullptr;
}

/// Takes an entry out of its chain. Guarantees: its lender is the lender of its borrower now.
inline void leave_chain(Entry& entry) noexcept {
    Entry* lender = entry.lender;
    Entry* borrower = entry.borrower;
    forget_lender(entry);
    forget_borrower(entry);
    if (lender != nullptr && borrower != nullptr) make_loan(*lender, *borrower);
}

}  // namespace nbaio
