package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What the daemon says, with {@code --engine cuda} and {@code auto}, where no CUDA device comes up:
 * one line, and nothing is left on the device.
 */
class CudaFailuresTest {
  private static final String ROOM = "(expected: a device with room for the engine's buffers)";

  @TempDir Path directory;

  private Path libraries;

  @BeforeEach
  void emulated() throws IOException {
    libraries = Emulator.libraries();
  }

  /** What the emulated device is told, and what the daemon says. */
  static Stream<Arguments> machines() {
    return Stream.of(
        Arguments.of(
            Map.of("MUOND_EMULATOR_DEVICES", "0"),
            "no device comes up: CUDA_ERROR_NO_DEVICE (expected: one that nvidia-smi lists and"
                + " CUDA_VISIBLE_DEVICES does not hide)"),
        Arguments.of(
            Map.of("MUOND_EMULATOR_DRIVER", "11080"),
            "the NVIDIA driver is for CUDA 11.8 (expected: 12.0 or newer; update it)"),
        Arguments.of(
            Map.of("MUOND_EMULATOR_CAPABILITY", "75"),
            "device 0, muond emulated device 0, is of compute capability 7.5 (expected: 8.0 or"
                + " newer)"),
        Arguments.of(
            Map.of("MUOND_EMULATOR_MEMORY", "64M"),
            "cuBLAS needs 33554432 bytes of device memory (0 bytes are available) " + ROOM));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("machines")
  void isOneLineAndAutoTakesTheCpu(Map<String, String> environment, String reason)
      throws Exception {
    check(environment, System.getProperty("java.class.path"), reason);
  }

  /** A call that fails, and what the daemon says. */
  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      value = {
        "cuInit:1=803 | CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (expected: the libcuda.so.1 that came",
        "cuDevicePrimaryCtxRetain:1=2 | CUDA_ERROR_OUT_OF_MEMORY " + ROOM,
        "cuMemAlloc_v2:4=719 | CUDA_ERROR_LAUNCH_FAILED",
        "cuMemHostAlloc:3 | no 8 bytes of page-locked host memory",
        "cublasCreate_v2:1=2 | CUBLAS_STATUS_ALLOC_FAILED " + ROOM,
        "cublasCreate_v2:1=3 | CUBLAS_STATUS_NOT_INITIALIZED (expected: a libcublas.so.12 that",
        "cuModuleLoadDataEx:3=222 | elementwise.ptx does not load: cuModuleLoadDataEx:"
            + " CUDA_ERROR_UNSUPPORTED_PTX_VERSION (expected: an NVIDIA driver for CUDA 12.0",
      })
  void aCallThatFailsIsOneLine(String call, String reason) throws Exception {
    Map<String, String> environment = Map.of("MUOND_EMULATOR_FAIL", call);
    String classPath = System.getProperty("java.class.path");
    try (DaemonProcess daemon = start(environment, classPath, "--engine=cuda")) {
      isRefused(daemon, "no device comes up: " + reason);
    }
  }

  @Test
  void withoutTheDriver() throws Exception {
    assumeTrue(!systemLibraries().contains("libcuda.so.1"), "this machine has a driver");
    check(
        Map.of("LD_LIBRARY_PATH", Files.createDirectory(directory.resolve("empty")).toString()),
        System.getProperty("java.class.path"),
        "there is no libcuda.so.1 (expected: that of the NVIDIA driver, where the loader finds it:"
            + " LD_LIBRARY_PATH, or ldconfig -p)");
  }

  @Test
  void withoutCublas() throws Exception {
    assumeTrue(!systemLibraries().contains("libcublas.so.12"), "this machine has cuBLAS");
    Path driver = Files.createDirectory(directory.resolve("driver"));
    Files.copy(libraries.resolve("libcuda.so.1"), driver.resolve("libcuda.so.1"));
    check(
        Map.of("LD_LIBRARY_PATH", driver.toString()),
        System.getProperty("java.class.path"),
        "there is no libcublas.so.12 (expected: that of CUDA 12, where the loader finds it:"
            + " LD_LIBRARY_PATH, or ldconfig -p)");
  }

  @Test
  void aKernelThatDoesNotCompile() throws Exception {
    Path resources = Files.createDirectories(directory.resolve("broken/io/muond/kernels"));
    Files.writeString(
        resources.resolve("gram.ptx"),
        """
        // gram.ptx
        .version 7.8
        .target sm_80
        .address_size 64
        .visible .entry k()
        {
        .reg .f32 %f<2>;
        nonsense.f32 %f1, %f1;
        ret;
        }
        """);
    String classPath =
        directory.resolve("broken") + File.pathSeparator + System.getProperty("java.class.path");
    check(
        Map.of(),
        classPath,
        "no device comes up: gram.ptx does not load: cuModuleLoadDataEx: CUDA_ERROR_INVALID_PTX:"
            + " gram.ptx:8: kernel k: instruction not supported: nonsense.f32");
  }

  /** The names of the libraries that the loader finds by itself. */
  private static String systemLibraries() throws Exception {
    Process process = new ProcessBuilder("/sbin/ldconfig", "-p").start();
    return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
  }

  private void check(Map<String, String> environment, String classPath, String reason)
      throws Exception {
    try (DaemonProcess cuda = start(environment, classPath, "--engine=cuda");
        DaemonProcess auto = start(environment, classPath, "--engine=auto")) {
      isRefused(cuda, reason);
      assertThat(auto.addresses().get("engine").getAsString()).isEqualTo("cpu");
      assertThat(auto.terminate()).isZero();
      assertThat(auto.said())
          .allMatch(line -> line.contains(" INFO "))
          .filteredOn(line -> line.contains("engine: "))
          .singleElement()
          .asString()
          .contains("engine: cpu, since " + reason);
      assertThat(auto.emulatorSaid()).noneMatch(line -> line.contains("leak:"));
    }
  }

  private static void isRefused(DaemonProcess daemon, String reason) throws Exception {
    assertThat(daemon.exit()).isEqualTo(1);
    assertThat(daemon.said())
        .singleElement()
        .asString()
        .startsWith("muond-server: --engine: cuda, but " + reason);
    assertThat(daemon.emulatorSaid()).noneMatch(line -> line.contains("leak:"));
  }

  private DaemonProcess start(Map<String, String> environment, String classPath, String engine)
      throws IOException {
    Map<String, String> all = new HashMap<>(environment);
    all.putIfAbsent("MUOND_EMULATOR_DEVICES", "1");
    return DaemonProcess.start(directory, all, classPath, "--port=0", "--http-port=0", engine);
  }
}
