// The list that admission keeps its entries in.
#include <doctest/doctest.h>

#include "core/list.hpp"
#include "tests/scene.hpp"

namespace nbaio {
namespace {

bool unlinked(const Entry& entry) { return entry.prev == nullptr && entry.next == nullptr; }

TEST_CASE("a new list is empty") {
    const List list;
    CHECK(list.empty());
    CHECK(list.size() == 0);
    CHECK(list.front() == nullptr);
    CHECK(list.back() == nullptr);
}

TEST_CASE("push_back keeps the order of coming") {
    Names entry;
    List list;
    list.push_back(entry['a']);
    CHECK(list.front() == &entry['a']);
    CHECK(list.back() == &entry['a']);
    list.push_back(entry['b']);
    list.push_back(entry['c']);
    CHECK(names(list) == "abc");
    CHECK(list.size() == 3);
    CHECK_FALSE(list.empty());
}

TEST_CASE("push_front puts an entry before all others") {
    Names entry;
    List list;
    list.push_front(entry['a']);
    CHECK(list.front() == &entry['a']);
    CHECK(list.back() == &entry['a']);
    list.push_front(entry['b']);
    list.push_back(entry['c']);
    list.push_front(entry['d']);
    CHECK(names(list) == "dbac");
}

TEST_CASE("remove takes an entry from any position and leaves the order of the others") {
    Names entry;
    List list;
    for (const char name : {'a', 'b', 'c', 'd'}) list.push_back(entry[name]);

    SUBCASE("the front") {
        list.remove(entry['a']);
        CHECK(names(list) == "bcd");
    }
    SUBCASE("the back") {
        list.remove(entry['d']);
        CHECK(names(list) == "abc");
    }
    SUBCASE("the middle") {
        list.remove(entry['b']);
        CHECK(names(list) == "acd");
        list.remove(entry['c']);
        CHECK(names(list) == "ad");
    }
}

TEST_CASE("a list whose last entry is removed is empty and can be filled again") {
    Names entry;
    List list;
    list.push_back(entry['a']);
    list.remove(entry['a']);
    CHECK(list.empty());
    CHECK(list.front() == nullptr);
    CHECK(list.back() == nullptr);
    list.push_front(entry['b']);
    list.push_back(entry['a']);
    CHECK(names(list) == "ba");
}

TEST_CASE("a removed entry has no links left and can enter another list") {
    Names entry;
    List list;
    List other;
    for (const char name : {'a', 'b', 'c'}) list.push_back(entry[name]);
    other.push_back(entry['d']);
    for (const char name : {'b', 'a', 'c'}) {
        list.remove(entry[name]);
        REQUIRE(unlinked(entry[name]));
        other.push_front(entry[name]);
    }
    CHECK(list.empty());
    CHECK(names(other) == "cabd");
}

TEST_CASE("links that an entry has kept from elsewhere do not leak into a list") {
    Names entry;
    List list;
    entry['a'].prev = &entry['i'];
    entry['a'].next = &entry['j'];
    entry['b'] = entry['a'];
    entry['b'].kind = 'b';
    list.push_back(entry['a']);
    list.push_front(entry['b']);
    CHECK(names(list) == "ba");
}

}  // namespace
}  // namespace nbaio
