package io.muond.units;

import com.sun.management.OperatingSystemMXBean;
import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;

/**
 * What this process has used.
 *
 * @param cpuSeconds processor time since its start
 * @param allocatedBytes bytes of objects that the threads which live now have made
 * @param heapBytes bytes of objects on the heap, garbage included
 */
public record ProcessUse(double cpuSeconds, long allocatedBytes, long heapBytes) {
  private static final ThreadMXBean THREADS =
      ManagementFactory.getPlatformMXBean(ThreadMXBean.class);
  private static final OperatingSystemMXBean SYSTEM =
      ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);

  /** So far. */
  public static ProcessUse now() {
    long allocated = 0;
    for (long bytes : THREADS.getThreadAllocatedBytes(THREADS.getAllThreadIds())) {
      allocated += Math.max(0, bytes);
    }
    return new ProcessUse(
        SYSTEM.getProcessCpuTime() * 1e-9,
        allocated,
        ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed());
  }

  /** What was used between then and now. */
  public ProcessUse since(ProcessUse then) {
    return new ProcessUse(
        cpuSeconds - then.cpuSeconds, allocatedBytes - then.allocatedBytes, heapBytes);
  }
}
