package io.muond.bench;

import io.muond.units.ProcessUse;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/**
 * The process of a client: {@code Move CONTENDER ADDRESS BYTES}. Moves the tensor once for each
 * line that it is told, "push" or "pull", and says how many seconds it took, and what this process
 * used.
 */
final class Move {
  private Move() {}

  public static void main(String[] args) throws Exception {
    Contender contender = Contender.valueOf(args[0]);
    try (Contender.Moving moving = contender.connect(args[1], Long.parseLong(args[2]));
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      System.out.println("ready");
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        ProcessUse before = ProcessUse.now();
        long start = System.nanoTime();
        if (line.equals("push")) {
          moving.push();
        } else {
          moving.pull();
        }
        double seconds = (System.nanoTime() - start) * 1e-9;
        ProcessUse use = ProcessUse.now().since(before);
        System.out.println(seconds + " " + use.cpuSeconds() + " " + use.allocatedBytes());
      }
    }
    System.exit(0);
  }
}
