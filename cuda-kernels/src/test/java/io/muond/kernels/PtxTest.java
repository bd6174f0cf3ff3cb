package io.muond.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.muond.kernels.PtxCompiler.Usage;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/** The PTX that ships: that it compiles, what it takes of a device, and where it comes from. */
class PtxTest {
  private static final List<String> ARCHITECTURES = List.of("sm_80", "sm_86", "sm_89", "sm_90");
  private static final Path RESOURCES = Path.of("src/main/resources/io/muond/kernels");
  private static final Pattern ENTRY = Pattern.compile("\\.entry (\\w+)\\(.*?\\.maxntid (\\d+)");

  /** By kernel, its threads per block. */
  private static Map<String, Integer> threads(String file) {
    String text = new String(Module.ptx(file), StandardCharsets.US_ASCII).replace('\n', ' ');
    Map<String, Integer> threads = new TreeMap<>();
    for (Matcher m = ENTRY.matcher(text); m.find(); ) {
      threads.put(m.group(1), Integer.valueOf(m.group(2)));
    }
    return threads;
  }

  @Test
  @EnabledOnOs(
      value = OS.LINUX,
      architectures = "amd64",
      disabledReason = "JCuda's compiler is here for Linux on amd64 only")
  void compilesEverywhereWithoutSpillsAndAsTheTableSays() throws IOException {
    List<String> table = new ArrayList<>();
    table.add("kernel\tfile\tthreads\tshared_bytes\tregisters_" + String.join("_", ARCHITECTURES));
    for (String file : Kernels.FILES) {
      byte[] ptx = Module.ptx(file);
      List<Map<String, Usage>> usages =
          ARCHITECTURES.stream().map(sm -> PtxCompiler.compile(ptx, sm)).toList();
      threads(file).forEach((name, threads) -> table.add(row(file, name, threads, usages)));
    }
    Path committed = RESOURCES.resolve("kernels.tsv");
    String made = String.join("\n", table) + "\n";
    if (Boolean.getBoolean("muond.kernels.table")) {
      Files.writeString(committed, made);
    }
    assertThat(made)
        .as("%s (write it with -Dmuond.kernels.table=true)", committed)
        .isEqualTo(Files.readString(committed));
  }

  private static String row(
      String file, String name, int threads, List<Map<String, Usage>> usages) {
    int shared = 0;
    List<String> registers = new ArrayList<>();
    for (Map<String, Usage> architecture : usages) {
      Usage usage = architecture.get(name);
      assertThat(usage).as(name).isNotNull();
      assertThat(usage.spilledBytes()).as("bytes spilled by " + name).isZero();
      assertThat(usage.stackBytes()).as("stack of " + name).isZero();
      assertThat(usage.sharedBytes()).as("shared memory of " + name).isLessThanOrEqualTo(48 << 10);
      assertThat(usage.registers() * threads).as("registers of " + name).isBetween(1, 65_536);
      shared = Math.max(shared, usage.sharedBytes());
      registers.add(Integer.toString(usage.registers()));
    }
    return String.join("\t", name, file, "" + threads, "" + shared, String.join(" ", registers));
  }

  @Test
  void asksForNoNewerDriverThanItMust() {
    for (String file : Kernels.FILES) {
      assertThat(new String(Module.ptx(file), StandardCharsets.US_ASCII))
          .contains(".version 7.8\n")
          .contains(".target sm_80\n")
          .doesNotContain("vprintf", "malloc", "__assertfail");
    }
  }

  @Test
  void everySourceIsShippedAndLoaded() {
    assertThat(names(Path.of("src/main/cuda"), ".cu")).isEqualTo(Kernels.FILES);
    assertThat(names(RESOURCES, ".ptx")).isEqualTo(Kernels.FILES);
  }

  private static List<String> names(Path folder, String suffix) {
    String[] files = folder.toFile().list((in, name) -> name.endsWith(suffix));
    assertThat(files).as(folder.toString()).isNotNull();
    return List.of(files).stream()
        .map(name -> name.substring(0, name.length() - suffix.length()))
        .sorted()
        .toList();
  }

  @Test
  void isWhatTheSourcesMake() throws IOException, InterruptedException {
    Process check =
        new ProcessBuilder(new File("ptx").getAbsolutePath(), "--check")
            .redirectErrorStream(true)
            .start();
    String said = new String(check.getInputStream().readAllBytes(), StandardCharsets.UTF_8).trim();
    int status = check.waitFor();
    if (status == 2) {
      System.out.println("Committed PTX not compared with its sources: " + said);
    }
    assumeTrue(status != 2, said);
    assertThat(status).as(said).isZero();
  }
}
