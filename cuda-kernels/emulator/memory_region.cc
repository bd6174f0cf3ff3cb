#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "memory.h"

namespace muond {

Mapping::Mapping(uint64_t bytes) : bytes_(bytes) {
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED)
    throw Fault(CUDA_OUT_OF_MEMORY,
                "the host cannot map " + std::to_string(bytes) + " bytes: " + std::strerror(errno));
  data_ = static_cast<uint8_t*>(p);
}

Mapping::~Mapping() {
  if (data_) munmap(data_, bytes_);
}

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

void Mapping::clear() {
  if (data_) madvise(data_, bytes_, MADV_DONTNEED);
}

namespace {

// A warp's access is checked as a whole, by loops that may look a little beyond the last byte.
constexpr uint64_t kSlack = 512;

uint64_t roundUp(uint64_t n, uint64_t to) { return (n + to - 1) / to * to; }

Mapping tracksOf(uint64_t bytes) {
  return Mapping((roundUp(bytes, 4) + kSlack) / 4 * sizeof(Track));
}

}  // namespace

Region::Region(uint64_t base, uint64_t bytes, std::string site)
    : Region(base, bytes, std::move(site), nullptr, Mapping(bytes + kSlack),
             Mapping(bytes + kSlack), tracksOf(bytes)) {}

Region::Region(uint64_t base, uint64_t bytes, std::string site, uint8_t* host)
    : Region(base, bytes, std::move(site), host, Mapping(), Mapping(bytes + kSlack),
             tracksOf(bytes)) {
  std::memset(valid, kInitialised, bytes);
}

Region::Region(uint64_t base, uint64_t bytes, std::string site, uint8_t* at, Mapping data,
               Mapping valid, Mapping tracks)
    : base(base),
      bytes(bytes),
      site(std::move(site)),
      data(at != nullptr ? at : data.data()),
      valid(valid.data()),
      tracks(reinterpret_cast<Track*>(tracks.data())),
      dataPages_(std::move(data)),
      validPages_(std::move(valid)),
      trackPages_(std::move(tracks)) {}

void Region::refine(uint64_t offset, uint32_t launch) {
  if (!fine_.data()) {
    fine_ = Mapping(roundUp(bytes, kPage) * sizeof(Track));
    pages_ = Mapping(roundUp(bytes, kPage) / kPage * sizeof(uint32_t));
  }
  uint64_t page = offset / kPage;
  Track* fine = fineTracks() + page * kPage;
  const Track* coarse = tracks + page * (kPage / 4);
  uint64_t last = std::min(kPage, bytes - page * kPage);
  for (uint64_t i = 0; i < last; i++) fine[i] = coarse[i / 4];
  pages()[page] = launch;
}

void Region::clearTracks() {
  trackPages_.clear();
  fine_.clear();
  pages_.clear();
}

}  // namespace muond
