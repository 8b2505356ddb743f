import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/**
 * Serves MongoDB's protocol from memory on the loopback interface until it is told to stop.
 *
 * <p>Started by {@code scripts/mongo-test-server} where no {@code mongod} is installed:
 * {@code java -cp 'lib/*' MongoTestServer.java PORT}. Nothing is kept: every start is an empty server.
 */
final class MongoTestServer {

    /**
     * By itself the backend reports wire version 8, and the Rust driver refuses to talk to anything below 9. It
     * understands what the driver then sends, so it may report the version of a MongoDB 7.
     */
    private record AsMongoDb7() implements MongoVersion {
        @Override
        public List<Integer> getVersionArray() {
            return List.of(7, 0, 0);
        }

        @Override
        public int getWireVersion() {
            return 21;
        }
    }

    public static void main(String[] arguments) throws InterruptedException {
        if (arguments.length != 1) {
            System.err.println("usage: java -cp 'lib/*' MongoTestServer.java PORT");
            System.exit(2);
        }
        // No logging library is on the class path; without this slf4j says so on every start.
        System.setProperty("slf4j.internal.verbosity", "ERROR");

        MemoryBackend backend = new MemoryBackend();
        backend.version(new AsMongoDb7());
        MongoServer server = new MongoServer(backend);
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
        server.bind("127.0.0.1", Integer.parseInt(arguments[0]));

        new CountDownLatch(1).await();
    }
}
