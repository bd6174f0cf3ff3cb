package io.muond.server;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** The emulated device's libraries, for tests that plan its failures or read what it wrote. */
final class Emulator {
  private Emulator() {}

  /** The folder that the loader looks into first; skips the test if it is not the emulator's. */
  static Path libraries() throws IOException {
    Path folder = Path.of(String.valueOf(System.getenv("LD_LIBRARY_PATH")));
    Path driver = folder.resolve("libcuda.so.1");
    assumeTrue(
        Files.exists(driver)
            && new String(Files.readAllBytes(driver), StandardCharsets.ISO_8859_1)
                .contains("muond-emulator"),
        "there is no emulated device in LD_LIBRARY_PATH");
    return folder;
  }
}
