// Gin, whose errors go out as its guide sends them; of a name it says what JSON calls it, as its validator's guide shows.
package main

import (
	"net/http"
	"os"
	"reflect"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/gin-gonic/gin/binding"
	"github.com/go-playground/validator/v10"
)

const limit = 64 << 10

type item struct {
	Sku string `json:"sku" binding:"required"`
	Qty int    `json:"qty" binding:"required"`
}

type order struct {
	Name  string `json:"name" binding:"required"`
	Items []item `json:"items" binding:"required,dive"`
}

type page struct {
	Page int `form:"page" json:"page" binding:"required"`
}

type one struct {
	ID int `uri:"id" json:"id" binding:"required"`
}

type line struct {
	Qty int `form:"qty" json:"qty" binding:"required"`
}

func answer[T any](read func(*gin.Context, any) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, limit)
		var sent T
		if err := read(c, &sent); err != nil {
			c.JSON(http.StatusBadRequest, gin.H{"error": err.Error()})
			return
		}
		c.JSON(http.StatusOK, sent)
	}
}

func asJSON(field reflect.StructField) string {
	return strings.Split(field.Tag.Get("json"), ",")[0]
}

func main() {
	gin.SetMode(gin.ReleaseMode)
	binding.Validator.Engine().(*validator.Validate).RegisterTagNameFunc(asJSON)
	app := gin.New()
	app.Use(gin.CustomRecoveryWithWriter(nil, func(c *gin.Context, thrown any) {
		c.JSON(http.StatusInternalServerError, gin.H{"error": thrown})
	}))
	app.POST("/orders", answer[order]((*gin.Context).ShouldBindJSON))
	app.GET("/orders", answer[page]((*gin.Context).ShouldBindQuery))
	app.GET("/orders/:id", answer[one]((*gin.Context).ShouldBindUri))
	app.POST("/form", answer[line]((*gin.Context).ShouldBind))
	app.GET("/boom", func(*gin.Context) { panic("s3cret, at /srv/app") })
	if err := app.Run("127.0.0.1:" + os.Args[1]); err != nil {
		panic(err)
	}
}
