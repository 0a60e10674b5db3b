// An intrusive, circular, doubly linked list: nodes live in their owners, so that linking and
// unlinking allocate nothing and take constant time. A node is in one list at most; an owner
// unlinks it before it ends. The tag lets a class be a node of several lists at once.
#pragma once

#include <cassert>

namespace ringpost::io {

template <class Tag>
class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { assert(!linked()); }

  bool linked() const { return next_ != this; }

  void unlink() {
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = this;
  }

 private:
  template <class T, class NodeTag>
  friend class List;

  ListNode* next_ = this;
  ListNode* previous_ = this;
};

// Elements are of type T, which derives from ListNode<Tag>.
template <class T, class Tag>
class List {
  using Node = ListNode<Tag>;

 public:
  bool empty() const { return !head_.linked(); }
  T& front() { return static_cast<T&>(*head_.next_); }
  T& back() { return static_cast<T&>(*head_.previous_); }

  void push_back(T& element) {
    Node& node = element;
    assert(!node.linked());
    node.previous_ = head_.previous_;
    node.next_ = &head_;
    head_.previous_->next_ = &node;
    head_.previous_ = &node;
  }
  T& pop_front() {
    T& element = front();
    static_cast<Node&>(element).unlink();
    return element;
  }
  // Moves all elements of `other` behind those of this list.
  void take(List& other) {
    if (other.empty()) return;
    Node* first = other.head_.next_;
    Node* last = other.head_.previous_;
    other.head_.next_ = other.head_.previous_ = &other.head_;
    first->previous_ = head_.previous_;
    head_.previous_->next_ = first;
    last->next_ = &head_;
    head_.previous_ = last;
  }

 private:
  Node head_;
};

}  // namespace ringpost::io
