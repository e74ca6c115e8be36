#include "npa/claims.hpp"

#include <span>
#include <vector>

namespace tsock::inline v0::npa {

namespace {

constexpr std::array<std::string_view, 3> fields{"local_claims", "user_claims", "device_claims"};
constexpr std::string_view unknown_type = "a claim of an unknown type";
constexpr std::string_view other_order = "claims in another order than Samba's";

// The words of an entry: name, type, flags, number of values; then a pointer for each value.
constexpr std::size_t head_words = 4;
constexpr std::size_t name_word = 0;
constexpr std::size_t type_word = 1;
constexpr std::size_t count_word = 3;

constexpr std::size_t size_of_unit = 2;  // of UTF-16; nothing else is aligned behind a token

enum class Type : std::uint16_t { int64 = 1, uint64 = 2, text = 3, sid = 5, boolean = 6, octets = 16 };

using Words = std::vector<std::uint32_t>;

/// Calls `visit(pointer, type)` for each pointer of a list of entries, where a name is a text.
template <class Visit>
void for_each_pointer(Words& words, Visit visit) {
  for (std::size_t at = 0; at < words.size();) {
    const auto type = static_cast<Type>(words[at + type_word] & 0xffffU);
    const std::size_t values = words[at + count_word];
    visit(words[at + name_word], Type::text);
    for (std::size_t i = 0; i < values; ++i) visit(words[at + head_words + i], type);
    at += head_words + values;
  }
}

void read_entry(NdrReader& reader, Words& words, std::string_view field) {
  words.push_back(reader.u32(field));
  const std::uint32_t type = reader.u16(field);
  words.push_back(type | static_cast<std::uint32_t>(reader.u16(field)) << 16U);
  words.push_back(reader.u32(field));
  const std::uint32_t values = reader.count(sizeof(std::uint32_t), most_claims, field);
  words.push_back(values);
  for (std::uint32_t i = 0; i < values; ++i) words.push_back(reader.u32(field));
}

void skip(NdrReader& reader, Type type, std::string_view field) noexcept {
  switch (type) {
    case Type::int64:
    case Type::uint64:
    case Type::boolean:
      reader.take(sizeof(std::uint64_t), field);
      return;
    case Type::text:
      while (!reader.failed()) {
        const std::span<const std::byte> unit = reader.take(size_of_unit, field);
        if (!unit.empty() && unit[0] == std::byte{0} && unit[1] == std::byte{0}) return;
      }
      return;
    case Type::sid:
    case Type::octets: {
      std::size_t size = 0;
      unsigned shift = 0;
      for (const std::byte byte : reader.take(sizeof(std::uint32_t), field)) {
        size |= std::to_integer<std::size_t>(byte) << shift;
        shift += 8;
      }
      reader.take(size, field);
      return;
    }
  }
  reader.fail(field, unknown_type);
}

}  // namespace

bool ClaimsCodec::is_unsupported(std::string_view what) noexcept {
  return what == unknown_type || what == other_order;
}

void ClaimsCodec::read_entries(NdrReader& reader, Claims& claims,
                               const std::array<std::uint32_t, 3>& counts) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    detail::ClaimList& list = claims.lists_[i];
    const std::uint32_t count = reader.count(head_words * sizeof(std::uint32_t), most_claims, fields[i]);
    if (count != counts[i]) reader.fail(fields[i], "the counts differ");
    if (reader.failed()) return;
    list.words.reserve(count * head_words);
    for (; list.count < count && !reader.failed(); ++list.count) read_entry(reader, list.words, fields[i]);
  }
}

void ClaimsCodec::read_data(NdrReader& reader, Claims& claims) {
  const std::size_t begin = reader.offset();
  for (std::size_t i = 0; i < fields.size() && !reader.failed(); ++i) {
    for_each_pointer(claims.lists_[i].words, [&](std::uint32_t& pointer, Type type) {
      if (pointer == 0 || reader.failed()) return;
      if (type == Type::text) reader.align(size_of_unit, fields[i]);
      if (pointer != reader.offset()) reader.fail(fields[i], other_order);
      pointer = static_cast<std::uint32_t>(reader.offset() - begin + 1);
      skip(reader, type, fields[i]);
    });
  }
  if (reader.failed()) return;
  const std::span<const std::byte> data = reader.since(begin);
  claims.data_.assign(data.begin(), data.end());
}

void ClaimsCodec::write_entries(NdrWriter& writer, const Claims& claims, std::size_t data) noexcept {
  for (const detail::ClaimList& list : claims.lists_) {
    writer.u32(list.count);
    // The pointers are few, and the words in between are as they were.
    for (std::size_t at = 0; at < list.words.size();) {
      const std::size_t end = at + head_words + list.words[at + count_word];
      for (std::size_t i = at; i < end; ++i) {
        const bool is_pointer = i == at + name_word || i >= at + head_words;
        const std::uint32_t word = list.words[i];
        writer.u32(is_pointer && word != 0 ? static_cast<std::uint32_t>(data + word - 1) : word);
      }
      at = end;
    }
  }
}

}  // namespace tsock::inline v0::npa
