package io.muond.quickstart;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.concurrent.CountDownLatch;

/** What a server looks like from outside, in several tempers. */
final class FakeServer {
  private FakeServer() {}

  /** Ends with status 0 on SIGTERM. */
  static final class Obedient {
    private Obedient() {}

    public static void main(String[] args) throws Exception {
      serve(args, 0);
    }
  }

  /** Ends with status 3 on SIGTERM. */
  static final class Stumbling {
    private Stumbling() {}

    public static void main(String[] args) throws Exception {
      serve(args, 3);
    }
  }

  /** Ends at once. */
  static final class Broken {
    private Broken() {}

    public static void main(String[] args) {
      System.err.println("no engine today");
      System.exit(1);
    }
  }

  /** Never serves. */
  static final class Silent {
    private Silent() {}

    public static void main(String[] args) throws Exception {
      new CountDownLatch(1).await();
    }
  }

  private static void serve(String[] args, int status) throws IOException, InterruptedException {
    Runtime.getRuntime().addShutdownHook(new Thread(() -> Runtime.getRuntime().halt(status)));
    Path ready = null;
    for (String arg : args) {
      if (arg.startsWith("--ready-file=")) {
        ready = Path.of(arg.substring("--ready-file=".length()));
      }
    }
    Path temporary = ready.resolveSibling("ready.tmp");
    Files.writeString(temporary, "{\"grpc\": \"127.0.0.1:50051\", \"http\": \"127.0.0.1:80\"}");
    Files.move(temporary, ready, StandardCopyOption.ATOMIC_MOVE);
    new CountDownLatch(1).await();
  }
}
