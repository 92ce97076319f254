// java.net.http.HttpClient as it is: over http it offers h2c with every request.

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;

public class JavaClient {
    private static final HttpClient CLIENT = HttpClient.newHttpClient();

    public static void main(String[] arguments) throws Exception {
        String url = arguments[0];
        var list = CLIENT.send(HttpRequest.newBuilder(URI.create(url + "/v1/models")).build(), BodyHandlers.ofString());
        check(list.statusCode() == 200 && list.body().contains("tts-1"), "the list of models");
        for (String stream : new String[] {"false", "true", "false"}) {
            String body = "{\"model\": \"tts-1\", \"voice\": \"alloy\", \"response_format\": \"pcm\", \"stream\": " + stream
                + ", \"input\": \"Hello from Java, with an umlaut: \u00e4.\"}";
            var answer = CLIENT.send(post(url + "/v1/audio/speech", body), BodyHandlers.ofInputStream());
            int length = answer.body().readAllBytes().length;
            check(answer.statusCode() == 200 && length > 20_000, "speech, stream " + stream + ": " + answer.statusCode());
        }
        var refused = CLIENT.send(post(url + "/v1/audio/speech", "{\"input\": \"\"}"), BodyHandlers.ofString());
        check(refused.statusCode() == 400 && refused.body().contains("input is empty"), "a refusal");
        System.out.println("ok Java " + Runtime.version());
    }

    private static HttpRequest post(String url, String body) {
        return HttpRequest.newBuilder(URI.create(url))
            .header("Content-Type", "application/json")
            .POST(BodyPublishers.ofString(body))
            .build();
    }

    private static void check(boolean is_right, String what) {
        if (!is_right) {
            throw new AssertionError(what);
        }
    }
}
