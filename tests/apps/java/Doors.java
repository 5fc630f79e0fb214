// The doors of `doors.js` in Tomcat, with h2c, and a method that Spring's filter or Jersey's replaces: java Doors.java FILTER PORT.

import com.sun.jersey.api.container.filter.PostReplaceFilter;
import com.sun.jersey.api.core.DefaultResourceConfig;
import com.sun.jersey.spi.container.servlet.ServletContainer;
import java.io.IOException;
import java.util.logging.Level;
import java.util.logging.Logger;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import javax.ws.rs.DELETE;
import javax.ws.rs.GET;
import javax.ws.rs.OPTIONS;
import javax.ws.rs.POST;
import javax.ws.rs.PUT;
import javax.ws.rs.Path;
import javax.ws.rs.PathParam;
import org.apache.catalina.Context;
import org.apache.catalina.startup.Tomcat;
import org.apache.coyote.http2.Http2Protocol;
import org.apache.tomcat.util.descriptor.web.FilterDef;
import org.apache.tomcat.util.descriptor.web.FilterMap;
import org.springframework.web.filter.HiddenHttpMethodFilter;

public class Doors {
    public static void main(String[] arguments) throws Exception {
        Logger.getLogger("").setLevel(Level.SEVERE);
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(".");
        tomcat.setPort(Integer.parseInt(arguments[1]));
        tomcat.getConnector().setProperty("address", "127.0.0.1");
        tomcat.getConnector().addUpgradeProtocol(new Http2Protocol());
        Context context = tomcat.addContext("", null);
        switch (arguments[0]) {
            case "spring" -> {
                Tomcat.addServlet(context, "doors", new Servlet());
                FilterDef filter = new FilterDef();
                filter.setFilterName("override");
                filter.setFilter(new HiddenHttpMethodFilter());
                context.addFilterDef(filter);
                FilterMap everywhere = new FilterMap();
                everywhere.setFilterName("override");
                everywhere.addURLPattern("/*");
                context.addFilterMap(everywhere);
            }
            case "jersey" -> {
                DefaultResourceConfig resources = new DefaultResourceConfig(Resource.class);
                resources.getContainerRequestFilters().add(new PostReplaceFilter());
                Tomcat.addServlet(context, "doors", new ServletContainer(resources));
            }
            default -> throw new IllegalArgumentException(arguments[0]);
        }
        context.addServletMappingDecoded("/*", "doors");
        tomcat.start();
        tomcat.getServer().await();
    }

    static String reached(String method, String path) {
        boolean closed = path.equals("/admin") || path.startsWith("/admin/")
                || (method.equals("POST") && path.equals("/orders"))
                || (method.equals("DELETE") && path.startsWith("/items/"));
        String door = closed ? "CLOSED" : path.startsWith("/public/") ? "PUBLIC" : "OPEN";
        return door + "-REACHED " + method + " " + path;
    }

    static class Servlet extends HttpServlet {
        @Override
        protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
            response.setContentType("text/plain;charset=utf-8");
            response.getWriter().write(reached(request.getMethod(), request.getPathInfo()));
        }
    }

    @Path("{rest: .*}")
    public static class Resource {
        @PathParam("rest")
        String rest;

        @GET
        public String get() {
            return reached("GET", "/" + rest);
        }

        @POST
        public String post() {
            return reached("POST", "/" + rest);
        }

        @PUT
        public String put() {
            return reached("PUT", "/" + rest);
        }

        @DELETE
        public String delete() {
            return reached("DELETE", "/" + rest);
        }

        @OPTIONS
        public String options() {
            return reached("OPTIONS", "/" + rest);
        }
    }
}
