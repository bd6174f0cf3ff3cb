#include "cublas_test.h"

using namespace muond;
using namespace muond::test;

TEST(beta_zero_does_not_read_c_and_alpha_zero_not_a, SETTINGS(),
     LINES("cublasSgemm_v2 (call|C, matrix 0|was never written")) {
  OnDevice device;
  AStream stream;
  Blas blas(stream);
  DeviceBytes a(1024), b(1024), c(1024), fresh(1024);
  float zero = 0, one = 1;
  OK(cublasSgemm_v2(blas, 0, 0, 16, 16, 16, &zero, at(a), 16, at(b), 16, &zero, at(c), 16));
  CHECK(download(c, 256)[255] == 0);
  OK(cublasSgemm_v2(blas, 0, 0, 16, 16, 16, &zero, at(a), 16, at(b), 16, &one, at(fresh), 16));
  CHECK(cuStreamSynchronize(stream) >= 700);
  std::_Exit(0);
}

TEST(uninitialised_operand, SETTINGS(),
     LINES("cublasGemmEx (call|16x16x16, 1 times, operand B, matrix 0: reads|was never "
           "written|made at cuMemAlloc_v2")) {
  OnDevice device;
  AStream stream;
  Blas blas(stream);
  DeviceBytes a(1024), b(1024), c(1024);
  upload(a, numbers(256, 1));
  float one = 1, zero = 0;
  OK(cublasGemmEx(blas, 0, 0, 16, 16, 16, &one, at(a), kFloat32, 16, at(b), kFloat32, 16, &zero,
                  at(c), kFloat32, 16, kCompute32, -1));
  CHECK(cuStreamSynchronize(stream) >= 700);
  CHECK_CODE(kExecutionFailed,
             cublasGemmEx(blas, 0, 0, 16, 16, 16, &one, at(a), kFloat32, 16, at(b), kFloat32, 16,
                          &zero, at(c), kFloat32, 16, kCompute32, -1));
  std::_Exit(0);
}

TEST(operands_out_of_bounds_or_in_the_way, SETTINGS(),
     LINES("cublasSgemm_v2|leading dimension of operand A: 15 (expected: at least 16)",
           "cublasSgemm_v2|C of matrix 0 overlaps operand A of matrix 0",
           "cublasSgemm_v2|operand B is at 0x|(expected: a multiple of 4)",
           "cublasSgemmStridedBatched_64|matrices of C overlap: they are 128 elements apart",
           "cublasSgemm_v2|alpha or beta is at 0x|but the handle's pointer mode is host",
           "cublasSgemm_v2 (call|, operand A, matrix 0|1024 bytes at 0x|are not within one live "
           "allocation")) {
  OnDevice device;
  AStream stream;
  Blas blas(stream);
  DeviceBytes a(1024), b(1024), c(2048);
  upload(a, numbers(256, 1));
  upload(b, numbers(256, 1));
  float one = 1, zero = 0;
  CHECK_CODE(kInvalidValue,
             cublasSgemm_v2(blas, 0, 0, 16, 16, 16, &one, at(a), 15, at(b), 16, &zero, at(c), 16));
  CHECK_CODE(kInvalidValue,
             cublasSgemm_v2(blas, 0, 0, 16, 16, 16, &one, at(a), 16, at(b), 16, &zero, at(a), 16));
  CHECK_CODE(kInvalidValue, cublasSgemm_v2(blas, 0, 0, 16, 16, 16, &one, at(a), 16, at(b + 2), 16,
                                           &zero, at(c), 16));
  CHECK_CODE(kInvalidValue, cublasSgemmStridedBatched_64(blas, 0, 0, 16, 16, 16, &one, at(a), 16, 0,
                                                         at(b), 16, 0, &zero, at(c), 16, 128, 2));
  CHECK_CODE(kInvalidValue,
             cublasSgemm_v2(blas, 0, 0, 16, 16, 16, at(a), at(a), 16, at(b), 16, &zero, at(c), 16));
  OK(cublasSgemm_v2(blas, 0, 0, 16, 16, 16, &one, at(a + 4), 16, at(b), 16, &zero, at(c), 16));
  CHECK(cuStreamSynchronize(stream) >= 700);
  std::_Exit(0);
}

TEST(types_that_are_not_supported, SETTINGS(),
     LINES("cublasGemmEx|types 0, 2, 0 with compute type 68 are not supported",
           "cublasGemmEx|compute type 0 is not supported", "cublasDgemv_v2 is not supported")) {
  OnDevice device;
  AStream stream;
  Blas blas(stream);
  DeviceBytes a(64);
  float one = 1;
  CHECK_CODE(kNotSupported,
             cublasGemmEx(blas, 0, 0, 1, 1, 1, &one, at(a), kFloat32, 1, at(a + 4), kFloat16, 1,
                          &one, at(a + 8), kFloat32, 1, kCompute32, -1));
  CHECK_CODE(kNotSupported, cublasGemmEx(blas, 0, 0, 1, 1, 1, &one, at(a), kFloat32, 1, at(a + 4),
                                         kFloat32, 1, &one, at(a + 8), kFloat32, 1, 0, -1));
  CHECK_CODE(kNotSupported, cublasDgemv_v2());
}

TEST(a_workspace_or_a_handle_on_two_streams, SETTINGS(),
     LINES("cublasSgemm_v2|writes the handle's own workspace|, which cublasSgemm_v2|and nothing "
           "orders the two",
           "cublasSgemm_v2|on stream 0x|writes the workspace [0x|, which cublasSgemm_v2|writes, "
           "and nothing orders the two")) {
  OnDevice device;
  AStream one, two;
  Blas blas(one), other(two);
  DeviceBytes a(4), c(8), workspace(4096);
  upload(a, {3});
  float alpha = 1, beta = 0;
  auto product = [&](Handle handle, DevicePointer result) {
    return cublasSgemm_v2(handle, 0, 0, 1, 1, 1, &alpha, at(a), 1, at(a), 1, &beta, at(result), 1);
  };
  OK(product(blas, c));
  OK(cublasSetStream_v2(blas, two));
  CHECK_CODE(kExecutionFailed, product(blas, c + 4));
  OK(cuCtxSynchronize());
  OK(cublasSetStream_v2(blas, one));
  for (Handle handle : {blas.handle, other.handle})
    OK(cublasSetWorkspace_v2(handle, at(workspace), 4096));
  OK(product(blas, c));
  CHECK_CODE(kExecutionFailed, product(other, c + 4));
  OK(cuCtxSynchronize());
}

TEST(data_in_a_workspace_is_lost, SETTINGS(), LINES()) {
  OnDevice device;
  AStream stream;
  Blas blas(stream);
  DeviceBytes a(4), c(4), workspace(4096);
  upload(a, {3});
  upload(workspace, std::vector<float>(1024, 1.0f));
  float one = 1, zero = 0;
  OK(cublasSetWorkspace_v2(blas, at(workspace), 4096));
  OK(cublasSgemm_v2(blas, 0, 0, 1, 1, 1, &one, at(a), 1, at(a), 1, &zero, at(c), 1));
  auto left = download(workspace, 1024);
  CHECK(std::isnan(left[0]) && std::isnan(left[1023]));
}

TEST(a_capture_needs_a_workspace, SETTINGS(),
     LINES("cublasSgemm_v2|without cublasSetWorkspace|not allowed during the capture",
           "cuStreamEndCapture|was broken", "cublasSetWorkspace_v2|within an allocation")) {
  OnDevice device;
  AStream stream;
  Blas blas(stream);
  DeviceBytes a(4), c(4), workspace(4096);
  upload(a, {3});
  float one = 1, zero = 0;
  auto product = [&] {
    return cublasSgemm_v2(blas, 0, 0, 1, 1, 1, &one, at(a), 1, at(a), 1, &zero, at(c), 1);
  };
  Handle graph, exec;
  OK(cuStreamBeginCapture_v2(stream, 1));
  CHECK_CODE(kExecutionFailed, product());
  CHECK_CODE(CUDA_CAPTURE_INVALIDATED, cuStreamEndCapture(stream, &graph));
  CHECK_CODE(kInvalidValue, cublasSetWorkspace_v2(blas, at(workspace), 8192));
  OK(cublasSetWorkspace_v2(blas, at(workspace), 4096));
  OK(cuStreamBeginCapture_v2(stream, 1));
  OK(product());
  OK(cuStreamEndCapture(stream, &graph));
  OK(cuGraphInstantiateWithFlags(&exec, graph, 0));
  OK(cuGraphLaunch(exec, stream));
  CHECK(download(c, 1)[0] == 9);
  OK(cuGraphExecDestroy(exec));
  OK(cuGraphDestroy(graph));
}

TEST(handles_leak_and_need_a_context, SETTINGS(),
     LINES("cublasCreate_v2|no context is current",
           "leak: a cuBLAS handle of device 0, made by cublasCreate_v2")) {
  OnDevice device;
  Handle blas;
  std::thread([&] { CHECK_CODE(kNotInitialized, cublasCreate_v2(&blas)); }).join();
  OK(cublasCreate_v2(&blas));
}
