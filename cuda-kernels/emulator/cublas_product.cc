#include <algorithm>
#include <cstring>

#include "cublas.h"
#include "graph.h"

namespace muond {
namespace {

/** Beyond this many matrices that do not adjoin, their accesses are not noted: only the work's
 * order is random. */
constexpr int64_t kNoted = 4096;
constexpr uint64_t kScribble = 1024;

/** A product as it was when it was queued: host scalars are read then, device scalars when it runs.
 */
struct Queued {
  Product product;
  std::string what;
  Device* device;
  bool deviceScalars;
  float alpha = 0, beta = 0;
  Arithmetic arithmetic;
  Compute compute;
  uint64_t workspace, workspaceBytes;
};

void demand(bool holds, const std::string& message, int code = CUDA_INVALID_VALUE) {
  if (!holds) throw Fault(code, message);
}

Compute computeOf(const Product& product, const Library& library) {
  if (product.compute == Compute::Float32 && product.a.type == Type::Float32 &&
      (library.mathMode & 15) == kTf32Math) {
    return Compute::Float32FastTf32;
  }
  return product.compute;
}

Arithmetic arithmeticOf(Compute compute, Type inputs) {
  bool exact = compute == Compute::Float32Pedantic ||
               (compute == Compute::Float32 && inputs == Type::Float32);
  return exact ? Arithmetic::Float32 : Arithmetic::Tensor;
}

void checkTypes(const Product& product) {
  Type in = product.a.type, out = product.c.type;
  bool fast = product.compute != Compute::Float32 && product.compute != Compute::Float32Pedantic;
  bool known = in == Type::Float32 || in == Type::Float16 || in == Type::Bfloat16;
  demand(known && product.b.type == in && (out == Type::Float32 || (out == in && !fast)) &&
             (!fast || in == Type::Float32),
         format("types %d, %d, %d with compute type %d are not supported", static_cast<int>(in),
                static_cast<int>(product.b.type), static_cast<int>(out),
                static_cast<int>(product.compute)),
         CUDA_NOT_SUPPORTED);
}

void checkPlace(const Operand& operand, const Device& device) {
  uint64_t unit = operand.list ? 8 : bytesOf(operand.type);
  demand(device.owns(operand.address),
         format("%s is at 0x%llx, which is no memory of device %d", operand.name,
                static_cast<unsigned long long>(operand.address), device.ordinal));
  demand(operand.address % unit == 0,
         format("%s is at 0x%llx (expected: a multiple of %llu)", operand.name,
                static_cast<unsigned long long>(operand.address),
                static_cast<unsigned long long>(unit)));
}

/** Adds what is read or written to the operation, matrices that adjoin as one piece. */
void note(Operation& operation, const Operand& operand, int64_t count, bool write) {
  if (operand.list) {
    operation.accesses.push_back({Access::Place::Device, false, operand.address,
                                  static_cast<uint64_t>(count) * 8, 0, 1, operand.name});
    return;
  }
  bool adjoin = operand.ld == operand.rows && operand.stride == operand.rows * operand.columns;
  if (adjoin) {
    Access all = operand.access(0, write);
    all.width *= static_cast<uint64_t>(count);
    operation.accesses.push_back(all);
  }
  for (int64_t i = 0; !adjoin && i < count && count <= kNoted; i++)
    operation.accesses.push_back(operand.access(i, write));
}

void checkAliases(const Product& product) {
  if (product.c.list) return;
  if (product.count > 1) {
    demand(!product.c.access(0, true).overlaps(product.c.access(1, true)),
           format("matrices of C overlap: they are %lld elements apart",
                  static_cast<long long>(product.c.stride)));
  }
  for (const Operand* operand : {&product.a, &product.b}) {
    if (operand->list) continue;
    for (int64_t i = 0; i < std::min<int64_t>(product.count, 64); i++) {
      for (int64_t j = 0; j < std::min<int64_t>(product.count, 64); j++) {
        demand(!product.c.access(i, true).overlaps(operand->access(j, false)),
               format("C of matrix %lld overlaps %s of matrix %lld", static_cast<long long>(i),
                      operand->name, static_cast<long long>(j)));
      }
    }
  }
}

float convert(const uint8_t* bytes, Type type, Compute compute) {
  if (type != Type::Float32) {
    uint16_t word;
    std::memcpy(&word, bytes, 2);
    return type == Type::Float16 ? halfToFloat(word) : bfloatToFloat(word);
  }
  float value;
  std::memcpy(&value, bytes, 4);
  switch (compute) {
    case Compute::Float32FastTf32:
      return toTf32(value);
    case Compute::Float32FastFloat16:
      return halfToFloat(floatToHalf(value));
    case Compute::Float32FastBfloat16:
      return bfloatToFloat(floatToBfloat(value));
    default:
      return value;
  }
}

/** Pointers that lie on the device must suit tensor cores: cuBLAS cannot choose by them. */
void demandAligned(const Queued& queued, const Operand& operand, uint64_t address,
                   const std::string& who) {
  if (operand.list && queued.arithmetic == Arithmetic::Tensor && address % 16 != 0)
    throw Fault(CUDA_MISALIGNED_ADDRESS,
                format("%s: at 0x%llx (expected: a multiple of 16 bytes, for tensor cores)",
                       who.c_str(), static_cast<unsigned long long>(address)));
}

/** Reads a stored matrix, column by column unless its columns adjoin, and packs it as op(matrix).
 */
Packed load(const Queued& queued, const Operand& operand, int64_t index, Packed::Side side,
            bool transposed) {
  bool left = side == Packed::Side::Left;
  int64_t extent = left ? queued.product.m : queued.product.n;
  Packed packed(side, extent, queued.product.k);
  Device& memory = *queued.device;
  const std::string who =
      queued.what + format(", %s, matrix %lld", operand.name, static_cast<long long>(index));
  uint64_t address = operand.locate(index, memory, who), unit = bytesOf(operand.type);
  demandAligned(queued, operand, address, who);
  int64_t together = operand.ld == operand.rows ? operand.columns : 1;
  std::vector<uint8_t> bytes(static_cast<size_t>(operand.rows * together) * unit);
  std::vector<float> values(static_cast<size_t>(operand.rows));
  for (int64_t column = 0; column < operand.columns; column++) {
    if (column % together == 0)
      memory.read(address + static_cast<uint64_t>(column * operand.ld) * unit, bytes.data(),
                  bytes.size(), who);
    const uint8_t* start =
        bytes.data() + static_cast<size_t>(column % together * operand.rows) * unit;
    for (int64_t row = 0; row < operand.rows; row++)
      values[row] = convert(start + static_cast<size_t>(row) * unit, operand.type, queued.compute);
    // A stored column of A holds one term of all rows, unless A is transposed; of B it holds all
    // terms of one column.
    if (left != transposed)
      packed.storeTerm(column, 0, values.data(), operand.rows);
    else
      packed.storeLine(column, 0, values.data(), operand.rows);
  }
  return packed;
}

void store(uint8_t* bytes, Type type, float value) {
  if (type == Type::Float32) {
    std::memcpy(bytes, &value, 4);
    return;
  }
  uint16_t word = type == Type::Float16 ? floatToHalf(value) : floatToBfloat(value);
  std::memcpy(bytes, &word, 2);
}

/** Writes alpha times the product plus beta C: only the m by n elements, or one triangle of them.
 */
void finish(const Queued& queued, int64_t index, const std::vector<float>& product) {
  const Operand& c = queued.product.c;
  Device& memory = *queued.device;
  const std::string who = queued.what + format(", C, matrix %lld", static_cast<long long>(index));
  uint64_t address = c.locate(index, memory, who), unit = bytesOf(c.type);
  demandAligned(queued, c, address, who);
  std::vector<uint8_t> bytes(static_cast<size_t>(c.rows) * unit);
  for (int64_t column = 0; column < c.columns; column++) {
    int64_t from = queued.product.triangle == 'L' ? column : 0;
    int64_t to = queued.product.triangle == 'U' ? column + 1 : c.rows;
    uint64_t at = address + static_cast<uint64_t>(column * c.ld + from) * unit,
             size = static_cast<uint64_t>(to - from) * unit;
    if (size == 0) continue;
    if (queued.beta != 0) memory.read(at, bytes.data(), size, who);
    for (int64_t row = from; row < to; row++) {
      uint8_t* target = bytes.data() + static_cast<size_t>(row - from) * unit;
      float value = queued.alpha *
                    (product.empty() ? 0.0f : product[static_cast<size_t>(column * c.rows + row)]);
      if (queued.beta != 0) value += queued.beta * convert(target, c.type, Compute::Float32);
      store(target, c.type, value);
    }
    memory.write(at, bytes.data(), size, who);
  }
}

void scribble(const Queued& queued) {
  if (queued.workspace == 0) return;
  uint64_t bytes = std::min(queued.workspaceBytes, kScribble);
  const std::string who = queued.what + ", workspace";
  queued.device->fill(queued.workspace, 0xff, bytes, who);
  queued.device->fill(queued.workspace + queued.workspaceBytes - bytes, 0xff, bytes, who);
}

void run(Queued queued) {
  std::lock_guard<std::mutex> hold(queued.device->lock);
  if (queued.deviceScalars) {
    const std::string who = queued.what + ", alpha or beta";
    queued.device->read(reinterpret_cast<uint64_t>(queued.product.alpha), &queued.alpha, 4, who);
    queued.device->read(reinterpret_cast<uint64_t>(queued.product.beta), &queued.beta, 4, who);
  }
  scribble(queued);
  const Product& product = queued.product;
  for (int64_t i = 0; i < product.count; i++) {
    std::vector<float> result;
    if (queued.alpha != 0 && product.k > 0) {
      Packed a = load(queued, product.a, i, Packed::Side::Left, product.transposeA);
      Packed b = load(queued, product.b, i, Packed::Side::Right, product.transposeB);
      result = multiply(a, b, queued.arithmetic);
    }
    finish(queued, i, result);
  }
}

void readHostScalars(Queued& queued) {
  for (const void* scalar : {queued.product.alpha, queued.product.beta}) {
    demand(scalar != nullptr, "alpha or beta is null");
    for (const auto& device : Driver::get().devices) {
      demand(!device->owns(reinterpret_cast<uint64_t>(scalar)),
             format("alpha or beta is at %p, device memory, but the handle's pointer mode is host",
                    scalar));
    }
  }
  std::memcpy(&queued.alpha, queued.product.alpha, 4);
  std::memcpy(&queued.beta, queued.product.beta, 4);
}

/** The workspace that a call writes: the handle's own one stands for itself, at an address that no
 * device has. */
Access workspaceOf(const Library& library) {
  if (library.workspace != 0)
    return {Access::Place::Device, true, library.workspace, library.workspaceBytes, 0, 1,
            "the workspace"};
  return {Access::Place::Device,       true, reinterpret_cast<uint64_t>(library.handle), 1, 0, 1,
          "the handle's own workspace"};
}

}  // namespace

uint64_t Operand::locate(int64_t index, const Device& memory, const std::string& who) const {
  if (!list) return address + static_cast<uint64_t>(index * stride) * bytesOf(type);
  uint64_t found = 0;
  memory.read(address + static_cast<uint64_t>(index) * 8, &found, 8, who + ", its address");
  return found;
}

Access Operand::access(int64_t index, bool write) const {
  uint64_t unit = bytesOf(type);
  uint64_t start = address + static_cast<uint64_t>(index * stride) * unit;
  if (ld == rows)
    return {Access::Place::Device,
            write,
            start,
            static_cast<uint64_t>(rows * columns) * unit,
            0,
            1,
            name};
  return {Access::Place::Device,
          write,
          start,
          static_cast<uint64_t>(rows) * unit,
          static_cast<uint64_t>(ld) * unit,
          static_cast<uint64_t>(columns),
          name};
}

void Operand::check() const {
  demand(ld >= std::max<int64_t>(1, rows),
         format("leading dimension of %s: %lld (expected: at least %lld)", name,
                static_cast<long long>(ld), static_cast<long long>(rows)));
}

namespace {

void checkShape(const Product& product) {
  demand(product.m >= 0 && product.n >= 0 && product.k >= 0 && product.count >= 0,
         format("m %lld, n %lld, k %lld, count %lld", static_cast<long long>(product.m),
                static_cast<long long>(product.n), static_cast<long long>(product.k),
                static_cast<long long>(product.count)));
  checkTypes(product);
  for (const Operand* operand : {&product.a, &product.b, &product.c}) operand->check();
}

std::shared_ptr<Queued> queue(const Library& library, const Product& product, Device& device) {
  auto queued = std::make_shared<Queued>();
  queued->product = product;
  queued->device = &device;
  queued->deviceScalars = library.devicePointers;
  queued->workspace = library.workspace;
  queued->workspaceBytes = library.workspaceBytes;
  queued->compute = computeOf(product, library);
  queued->arithmetic = arithmeticOf(queued->compute, product.a.type);
  if (!queued->deviceScalars) readHostScalars(*queued);
  return queued;
}

/** Checks where the operands are, and tells the operation what it will read and write. */
void noteAll(Operation& operation, const Library& library, const Product& product,
             const Device& device) {
  checkPlace(product.c, device);
  note(operation, product.c, product.count, true);
  for (const Operand* operand : {&product.a, &product.b}) {
    if (product.k == 0) continue;
    checkPlace(*operand, device);
    note(operation, *operand, product.count, false);
  }
  if (product.k > 0) checkAliases(product);
  operation.accesses.push_back(workspaceOf(library));
}

}  // namespace

void submitProduct(Call& call, Library& library, const Product& product) {
  std::shared_ptr<Stream> stream = library.stream;
  Device& device = *stream->context->device;
  checkShape(product);
  if (stream->capture != nullptr && library.workspace == 0) {
    breakCapture(
        *stream->capture, CUDA_CAPTURE_UNSUPPORTED,
        call.site() +
            " without cublasSetWorkspace (after cublasSetStream), which would allocate one,");
  }
  if (product.m == 0 || product.n == 0 || product.count == 0) return;
  std::shared_ptr<Queued> queued = queue(library, product, device);
  std::string shape = format("%lldx%lldx%lld, %lld times", static_cast<long long>(product.m),
                             static_cast<long long>(product.n), static_cast<long long>(product.k),
                             static_cast<long long>(product.count));
  call.detail = shape + " on " + stream->name();
  auto operation = std::make_shared<Operation>();
  operation->what = queued->what = call.site() + ": " + shape;
  operation->type = NodeType::Kernel;
  operation->run = [queued](uint64_t) { run(*queued); };
  noteAll(*operation, library, product, device);
  submit(stream, operation);
}

}  // namespace muond
